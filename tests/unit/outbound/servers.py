"""Web servers that take results: a small honest STOW-RS one, and whatever a test wants to answer."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset


@dataclass
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def parts(self) -> list[Dataset]:
        """The objects of a multipart/related body (RFC 2387)."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
        assert boundary is not None
        found = self.body.split(b"--" + boundary[1].encode())
        assert found[0] == b""
        assert found[-1] == b"--\r\n"
        return [dcmread(BytesIO(part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"))) for part in found[1:-1]]


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """``reply``: what is answered to a request."""

    reply: Callable[[Heard], Reply]
    url: str = ""
    heard: list[Heard] = field(default_factory=list)


@contextmanager
def serving(reply: Callable[[Heard], Reply]) -> Iterator[Server]:
    """A server on a port of its own."""
    told = Server(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.heard.append(Heard(self.path, dict(self.headers), body))
            status, headers, answer = told.reply(told.heard[-1])
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def stow(fates: Callable[[int], int] = lambda number: 0x0000) -> Callable[[Heard], Reply]:
    """Answers as PS3.18 10.5.3 says; ``fates``: the status of the n-th object."""

    def reply(heard: Heard) -> Reply:
        taken: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for number, one in enumerate(heard.parts):
            item: dict[str, Any] = {
                "00081150": {"vr": "UI", "Value": [str(one.SOPClassUID)]},
                "00081155": {"vr": "UI", "Value": [str(one.SOPInstanceUID)]},
            }
            status = fates(number)
            if status and status & 0xF000 != 0xB000:
                failed.append(item | {"00081197": {"vr": "US", "Value": [status]}})
            else:
                taken.append(item | ({"00081196": {"vr": "US", "Value": [status]}} if status else {}))
        document: dict[str, Any] = {}
        if taken:
            document["00081199"] = {"vr": "SQ", "Value": taken}
        if failed:
            document["00081198"] = {"vr": "SQ", "Value": failed}
        code = 200 if not failed else 202 if taken else 409
        return code, {"Content-Type": "application/dicom+json"}, json.dumps(document).encode()

    return reply


def plain(status: int, body: bytes = b"", **headers: str) -> Callable[[Heard], Reply]:
    """The same answer to everything."""
    return lambda heard: (status, headers, body)
