"""What FastAPI makes of a parameter's annotation is made once in a process: hundreds of applications have the same routes."""

from typing import Annotated, Any, get_args

from fastapi._compat import v2
from pydantic import TypeAdapter

_made: dict[tuple[Any, str, str], TypeAdapter[Any]] = {}


def adapter(annotated: Any, *, config: Any = None) -> TypeAdapter[Any]:
    """The adapter of ``Annotated[type, …]``, which never changes once it is made."""
    kind, *metadata = get_args(annotated)
    key = (kind, repr(metadata), repr(config))
    if key not in _made:
        _made[key] = TypeAdapter(Annotated[kind, *metadata], config=config)
    return _made[key]


def shared() -> None:
    """From here on."""
    v2.TypeAdapter = adapter
