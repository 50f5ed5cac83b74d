"""Bring a database to the schema that this version needs, or say why it cannot be used.

Every process asks which revision a database has; only what changes a schema loads Alembic.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select
from sqlalchemy.exc import DatabaseError, OperationalError

from triage.database.account_tables import metadata
from triage.database.delivery_tables import delivery as _delivery  # noqa: F401 - its tables belong to the metadata
from triage.database.figure_table import figure as _figure  # noqa: F401
from triage.database.lease_tables import lease as _lease  # noqa: F401 - the same
from triage.domain.errors import DatabaseOutdated, IndexUnavailable

MIGRATED_WITHIN = timedelta(hours=6)
"""So long one step of a migration may take on PostgreSQL."""
MIGRATIONS = Path(__file__).parent / "migrations"
_PRESENT = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


@cache
def revisions() -> tuple[str, ...]:
    """The revisions, the first step first: each follows that of the file before."""
    steps = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
    return tuple(name for step in steps for name in re.findall(r'^revision = "(\w+)"$', step.read_text("utf-8"), re.MULTILINE))


def newest() -> str:
    """The revision this version needs."""
    return revisions()[-1]


def knows(revision: str) -> bool:
    """Whether this version can bring a database of that revision to its own."""
    return revision in revisions()


def steps_after(revision: str | None) -> list[str]:
    """The revisions that this version adds to a database of that one, in order."""
    return list(revisions()[revisions().index(revision) + 1 if revision is not None else 0 :])


def present(engine: Engine) -> str | None:
    """The database's revision; ``None``: empty."""
    with engine.connect() as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    """The same, as one transaction sees it."""
    if not inspect(connection).has_table(_PRESENT.name):
        return None
    return connection.execute(select(_PRESENT.c.version_num)).scalar_one_or_none()


def migrate(
    engine: Engine, to: str = "head", first: Callable[[Connection], object] = lambda connection: None
) -> tuple[str | None, str]:
    """Run the missing steps up to ``to``, all or none; returns (revision before, revision after).

    ``first`` is called in the same transaction, before any step: what it sees nobody changes until the steps are done.

    Raises:
        IndexUnavailable: no room, somebody else writes, or the server went away; nothing was changed.
    """
    from alembic import command
    from alembic.config import Config

    before = present(engine)
    try:
        with _writing(engine) as connection:
            first(connection)
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except OperationalError as error:
        why = (str(error.orig).strip().splitlines() or ["it does not answer"])[0]
        raise IndexUnavailable(
            f"database: not upgraded, nothing was changed ({why}); mend that, then: triage migrate"
        ) from error
    return before, newest() if to == "head" else to


def ensure(engine: Engine) -> None:
    """Make the schema in an empty database; leave a present one alone.

    Raises:
        DatabaseOutdated: the schema is of another version.
    """
    found = present(engine)
    if found is None:
        migrate(engine)
    elif not knows(found):
        words = f"database schema is {found}, of a later version; this one knows up to {newest()}"
        raise DatabaseOutdated(f"{words}; install that version, or go back with it: triage migrate --back")
    elif found != newest():
        raise DatabaseOutdated(f"database schema is {found}, this version needs {newest()}; back up, then run: triage migrate")


def mismatch(engine: Engine) -> str | None:
    """Why this version cannot go on with a database that was changed under it; ``None``: it can, or cannot ask."""
    try:
        found = present(engine)
    except DatabaseError:
        return None
    return None if found == newest() else f"schema {found or 'none'}, this version needs {newest()}"


def differences(engine: Engine) -> list[object]:
    """How the database differs from :mod:`triage.database.tables`; empty: not at all."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    return [one for one in found if not _is_comment(one)]


def _is_comment(difference: object) -> bool:
    """Comments are for readers of the tables here; migrations do not write them."""
    steps = difference if isinstance(difference, list) else [difference]
    return all(isinstance(step, tuple) and str(step[0]).endswith("_comment") for step in steps)


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    patient = {"begin": "IMMEDIATE", "patience": MIGRATED_WITHIN}
    with engine.connect().execution_options(**patient) as connection, connection.begin():
        yield connection
