"""Why a request is not answered: one status, one line."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from triage.domain.errors import CannotUnderstand, PixelError
from triage.domain.identifiers import check_uid
from triage.web.answers import Json
from triage.web.shelf import Busy


class Refused(Exception):
    """A status of PS3.18 8.5 and its reason, which repeats nothing of what was sent."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


async def answer(_: Request, error: Exception) -> Response:
    """The refusal as JSON, as the rest of the API tells one."""
    assert isinstance(error, Refused)
    return Json({"detail": str(error)}, error.status, dict(error.headers or {}))


def not_found(what: str) -> Refused:
    """404."""
    return Refused(404, f"no {what} has this UID")


def busy(error: Busy) -> Refused:
    """503: the same request may succeed in a second."""
    return Refused(503, f"{error}; try again", {"Retry-After": "1"})


def unseen(error: PixelError, status: int = 406) -> Refused:
    """What cannot be made of an object, as the list says it."""
    return Refused(status, f"This cannot be made of the object: {error.reason.sentence}.")


def uid(value: str, keyword: str) -> str:
    """A UID of the address, checked.

    Raises:
        Refused: 400.
    """
    try:
        return check_uid(value, keyword)
    except CannotUnderstand as error:
        raise Refused(400, str(error)) from None
