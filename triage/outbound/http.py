"""A POST to one address: within the deadline, without redirects, and what its status means for the delivery (RFC 9110 15)."""

from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request

from triage.domain.delivery import PeerAway, PeerRefused
from triage.fetch import Reply, ask
from triage.services.within import Within

MOST_BYTES = 1 << 20
"""Of an answer: room for the status of more objects than a result has."""
LATER = (408, 425, 429)
"""Too slow, too early, too many: the same request may work later, and so may it after any 5xx."""
NO_ENTRY = (401, 403, 407)
"""The token, not the result, is at fault: once it is mended, all of them go out by themselves."""


class Posting:
    """``url``: http or https, from the settings. ``token``: sent as a bearer token; empty: none. One POST at a time."""

    def __init__(self, url: str, *, token: str, within_seconds: float) -> None:
        self._url = url
        self._peer = urlsplit(url).hostname or url
        self._seconds = within_seconds
        self._within = Within(within_seconds)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """What the peer answers, whatever its status.

        Raises:
            PeerAway: it gives no whole answer in time.
            PeerRefused: the address or the token cannot be used.
        """
        request = Request(self._url, body, {**self._headers, **headers}, method="POST")  # noqa: S310 - the settings' own
        return self._within.run(lambda deadline: self._ask(request))

    def failure(self, status: int) -> PeerAway | PeerRefused:
        """What a status that is no success means."""
        kind = PeerAway if status in (*LATER, *NO_ENTRY) or status >= 500 else PeerRefused
        return kind(f"{self._peer} answers HTTP {status}" + (": does the token still count?" if status in NO_ENTRY else ""))

    def _ask(self, request: Request) -> Reply:
        try:
            return ask(request, self._seconds, MOST_BYTES)
        except (OSError, HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            kind = type(cause).__name__ if isinstance(cause, Exception) else "URLError"  # the message may quote the address
            raise PeerAway(f"{self._peer} gives no answer that can be read ({kind})") from None
        except ValueError:
            raise PeerRefused(f"{self._peer}: the address or the token cannot be used") from None
