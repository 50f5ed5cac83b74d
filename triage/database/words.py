"""Text as every database can keep it."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from triage.domain.storable import storable


class Words(TypeDecorator[str]):
    """Text as :func:`storable` makes it: a header or a note that holds NUL or half a surrogate pair must not be refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What is kept."""
        return storable(value) if value is not None else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        """What was kept."""
        return value
