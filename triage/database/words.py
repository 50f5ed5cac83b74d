"""Text as every database can keep it."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

REPLACEMENT = "\ufffd"


class Words(TypeDecorator[str]):
    """Text, the character NUL replaced: PostgreSQL has none, and a header or a note that holds one must not be refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What is kept."""
        return value.replace("\0", REPLACEMENT) if value is not None and "\0" in value else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        """What was kept."""
        return value
