"""A large body, sent piece by piece: what is on its way to slow readers must not pile up."""

import asyncio
import threading
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE_BYTES = 1 << 18
"""The server buffers at most a piece and holds the next one back until it has left."""
SECONDS = 60.0
"""A reader who takes longer gets the connection cut: the place is for the next one."""


class Parcel(Response):
    """Gives ``place`` back when it has been sent, or will not be."""

    def __init__(
        self,
        content: bytes,
        place: threading.BoundedSemaphore,
        headers: Mapping[str, str],
        media_type: str,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(None, headers=dict(headers), media_type=media_type)
        self.headers["content-length"] = str(len(content))
        self._content = memoryview(content)
        self._place = place
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            async with asyncio.timeout(self._seconds):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                for start in range(0, len(self._content), PIECE_BYTES):
                    piece = bytes(self._content[start : start + PIECE_BYTES])
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return  # the server ends what was not finished
        finally:
            self._place.release()
