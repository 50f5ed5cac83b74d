"""OHIF on a port of its own, beside the service: its files as they are, our settings, and ``/dicomweb`` handed on.

    python deploy/ohif/serve.py DIST [--port 3000] [--triage http://127.0.0.1:8080]

DIST is the folder ``dist`` of the npm package ``@ohif/app``. It listens on loopback only; for more than one machine: README.md.
"""

import argparse
import http.client
import shutil
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

CONFIG = Path(__file__).with_name("app-config.js")
IN_OUR_ORDER = "/?sortBy=triage"
"""OHIF sorts its list by date of the study unless told otherwise; a column that it has not leaves the order as it comes."""
HANDED_ON = ("Accept", "Cookie", "Authorization")
RETURNED = ("Content-Type", "Content-Length", "Warning", "Cache-Control", "WWW-Authenticate", "Retry-After")
HEADERS = {
    # OHIF's decoders share memory between threads, which browsers allow to isolated pages only
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
SECONDS = 60


class Handler(SimpleHTTPRequestHandler):
    """GET only: nothing is stored from here."""

    protocol_version = "HTTP/1.1"
    triage = ("127.0.0.1", 8080)

    def do_GET(self) -> None:
        """Our settings, what the service has, or a file of OHIF."""
        path = urlsplit(self.path).path
        if path.startswith("/dicomweb/"):
            self.hand_on()
        elif self.path == "/":
            self.send_response(302)
            self.send_header("Location", IN_OUR_ORDER)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/app-config.js":
            self.answer_with(CONFIG)
        else:
            if not Path(self.translate_path(self.path)).is_file():
                self.path = "/index.html"  # an address within OHIF
            super().do_GET()

    def hand_on(self) -> None:
        """Ask the service, and give its answer back as it comes."""
        connection = http.client.HTTPConnection(*self.triage, timeout=SECONDS)
        try:
            given = {name: self.headers[name] for name in HANDED_ON if name in self.headers}
            connection.request("GET", self.path, headers=given)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name in RETURNED:
                if (value := answer.getheader(name)) is not None:
                    self.send_header(name, value)
            if answer.getheader("Content-Length") is None:
                self.send_header("Connection", "close")
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)
        except OSError:
            self.close_connection = True  # half an answer must not look like a whole one
        finally:
            connection.close()

    def answer_with(self, path: Path) -> None:
        """A file that is not OHIF's."""
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        """Add what every answer has."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Addresses hold what was searched for: they are written nowhere."""


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serves OHIF beside the triage service.")
    parser.add_argument("dist", type=Path, help="the folder dist of the npm package @ohif/app")
    parser.add_argument("--port", type=int, default=3000, help="0: the system chooses")
    parser.add_argument("--triage", default="http://127.0.0.1:8080", help="where the service answers")
    given = parser.parse_args()
    if not (given.dist / "index.html").is_file():
        sys.stderr.write(f"{given.dist} holds no index.html; give the folder dist of @ohif/app\n")
        return 2
    address = urlsplit(given.triage)
    handler = type("Here", (Handler,), {"triage": (address.hostname or "127.0.0.1", address.port or 80)})
    server = ThreadingHTTPServer(("127.0.0.1", given.port), partial(handler, directory=str(given.dist)))
    sys.stdout.write(f"OHIF at http://127.0.0.1:{server.server_address[1]}/\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
