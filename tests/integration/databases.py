"""Which database a service under test has, and what its rows are, read from outside the service.

``TRIAGE_TEST_DATABASE=postgresql``: each home has a database of its own on the PostgreSQL of this test process; otherwise the
file in the home, as a service has it that is told nothing.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, make_url, text

from tests import postgres
from triage.database.sqlite import sqlite_url

ON_POSTGRESQL = os.environ.get("TRIAGE_TEST_DATABASE") == "postgresql"
Row = dict[str, Any]


@cache
def url_of(home: Path) -> str:
    """The database of the service in that folder, the same whenever it is asked for."""
    return postgres.shared().create() if ON_POSTGRESQL else sqlite_url(home / "triage.db")


def told(home: Path) -> dict[str, str]:
    """The variables that lead a service there; none where it finds its database by itself."""
    return {"TRIAGE_DATABASE_URL": url_of(home)} if ON_POSTGRESQL else {}


def environment(home: Path) -> dict[str, str]:
    """This process's variables without settings, and those that lead a command on ``home`` to its database."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")} | told(home)


def rows(url: str, query: str, *values: Any) -> list[Row]:
    """What a query finds, by column. ``query``: SQL that both databases know, with ``?`` for each value.

    Raises:
        sqlalchemy.exc.DBAPIError: no such database or table.
    """
    first, *others = query.split("?")
    statement = first + "".join(f":value{place}{other}" for place, other in enumerate(others))
    bound = {f"value{place}": value for place, value in enumerate(values)}
    engine = create_engine(_read_only(url), poolclass=NullPool)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement), bound).mappings()]


def _read_only(url: str) -> str:
    """SQLite would make a file that is not there."""
    return f"sqlite:///file:{make_url(url).database}?mode=ro&uri=true&timeout=10" if url.startswith("sqlite:") else url
