"""A large body from an iterator, sent piece by piece to whoever takes them in time; its place is given back in the end."""

import asyncio
import threading
from collections.abc import Iterator, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE_SECONDS = 30.0
"""For one piece to leave; a reader who takes longer gets the connection cut."""
SECONDS = 600.0
"""For all of them."""


class Pieces(Response):
    """Sends ``pieces``, read one at a time in a thread. An error half-way cuts the connection: no half film counts as one."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        place: threading.BoundedSemaphore,
        media_type: str,
        headers: Mapping[str, str],
        status_code: int = 200,
    ) -> None:
        super().__init__(None, status_code, dict(headers))
        self.headers["content-type"] = media_type
        del self.headers["content-length"]
        self._pieces = pieces
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            async with asyncio.timeout(SECONDS):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                while (piece := await run_in_threadpool(next, self._pieces, None)) is not None:
                    async with asyncio.timeout(PIECE_SECONDS):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return  # the server ends what was not finished
        finally:
            self._place.release()
