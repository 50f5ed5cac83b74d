"""What both databases say differently of an insert."""

from typing import Any

from sqlalchemy import Connection, Insert


def inserted(connection: Connection, statement: Insert) -> int:
    """How many rows the statement has written; where it fetches new keys the driver would forget that."""
    done: Any = connection.execute(statement.execution_options(preserve_rowcount=True))
    return int(done.rowcount)
