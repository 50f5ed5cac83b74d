"""How the API writes JSON."""

import json
from typing import Any

from starlette.responses import JSONResponse

EVERYWHERE: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body cannot be read"},
    401: {"description": "Nobody is signed in, or the token is not known"},
    403: {"description": "The role does not grant it, or it did not come from a page of this service"},
    413: {"description": "The body is too large"},
    503: {"description": "The database does not answer; try again"},
}
"""What any operation can answer besides its own, for the description of the API."""


class Json(JSONResponse):
    """JSON in ASCII: whatever a header held, even half a surrogate pair, can be written and read back."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
