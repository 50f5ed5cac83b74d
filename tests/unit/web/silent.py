"""A database that does not answer."""

from typing import Any, NoReturn

from triage.database.memory import MemoryDatabase
from triage.domain.errors import IndexUnavailable


class SilentDatabase(MemoryDatabase):
    """Refuses every transaction."""

    def read(self) -> Any:
        return _Refused()

    write = read


class _Refused:
    def __enter__(self) -> NoReturn:
        raise IndexUnavailable("locked")

    def __exit__(self, *_: object) -> None: ...
