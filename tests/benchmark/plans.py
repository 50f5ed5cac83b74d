"""How PostgreSQL finds what is asked for most on a long list: what each step took, and by what plan.

``python -m tests.benchmark plans``; ``move`` does the same on the site that it has moved. 1 when a plan walks a whole table.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, event, type_coerce, update

from tests import postgres
from tests.benchmark.backlog import build, facts_of, uid_of
from triage.database import tables
from triage.database.engine import SqlDatabase, open_engine
from triage.database.move import move
from triage.domain.level import Level
from triage.domain.query import Coarse
from triage.domain.selection import Selection, Status

ROUNDS = 60
DAY = timedelta(days=1) // timedelta(microseconds=1)
PAGE = 100
WHOLE = re.compile(r"Seq Scan on (study|instance|job|series)\b")
BY = re.compile(r"(?:using|on) (ix_\w+|\w+_pkey)|(Sort) ")
Step = Callable[[Any, int], object]


def steps(studies: int) -> dict[str, tuple[bool, Step]]:
    """Name → (whether it writes, what is done in the round of that number)."""
    now = datetime.now(UTC)
    far, today = now + timedelta(days=1), int(now.timestamp() * 1e6) // DAY

    def page(selection: Selection, offset: int = 0) -> Step:
        return lambda tx, number: tx.listed(selection, "anna", now, PAGE, offset)

    def first(tx: Any) -> Any:
        return tx.listed(Selection(), "anna", now, PAGE)

    def find(tx: Any, coarse: Coarse) -> object:
        return tx.queries.found(tx.queries.candidates(coarse)[:PAGE])

    return {
        "first page": (False, page(Selection())),
        "first page and its places": (False, lambda tx, number: tx.places(first(tx))),
        "first page and its rows' company": (False, lambda tx, number: tx.row_facts(first(tx))),
        "counts by level": (False, lambda tx, number: tx.counts_by_level()),
        "flagged only": (False, page(Selection(levels=frozenset({Level.FLAGGED})))),
        "being read": (False, page(Selection(status=Status.CLAIMED))),
        "page 1,000": (False, page(Selection(), min(studies // 2, 100_000))),
        "the last 8 hours": (False, page(Selection(within=timedelta(hours=8)))),
        "one study": (False, lambda tx, number: (tx.study(uid_of(number + 1)), tx.instances(uid_of(number + 1)))),
        "C-FIND by Study Instance UID": (False, lambda tx, number: find(tx, Coarse(studies=(uid_of(number + 1),)))),
        "C-FIND by Patient ID": (False, lambda tx, number: find(tx, Coarse(patient_ids=(facts_of(number + 1).patient_id,)))),
        "C-FIND by Accession Number": (False, lambda tx, number: find(tx, Coarse(accession_numbers=(f"ACC{number + 1:08d}",)))),
        "C-FIND by day": (False, lambda tx, number: find(tx, Coarse(days=(today - number % 60, today - number % 60)))),
        "claim": (True, lambda tx, number: tx.jobs.claim("worker", far)),
        "a study again": (True, lambda tx, number: tx.put_study(tx.study(uid_of(number + 1)))),
    }


def main(studies: int) -> int:
    """A site moved there, and measured."""
    with tempfile.TemporaryDirectory() as folder, postgres.server() as server:
        source = build(Path(folder) / "home", studies)
        database = SqlDatabase(open_engine(server.owned()))
        move(source.engine, database.engine)
        source.close()
        whole = measure(database, studies)
        database.close()
    return whole


def measure(database: SqlDatabase, studies: int) -> int:
    """Print the table; how many steps walk a whole table."""
    index(database)
    print(f"\n| PostgreSQL, {studies:,} studies | p50 ms | p95 ms | by |\n|---|---|---|---|")
    wrong = 0
    for name, (writes, step) in steps(studies).items():
        with statements(database) as asked:
            once(database, writes, step, 0)
        took = sorted(once(database, writes, step, number) * 1e3 for number in range(1, ROUNDS + 1))
        plans = explained(database, asked)
        by = dict.fromkeys(next(filter(None, found)) for found in BY.findall(plans))
        whole = dict.fromkeys(WHOLE.findall(plans))
        wrong += bool(whole)
        told = ", ".join([*by, *(f"**all of {table}**" for table in whole)])
        print(f"| {name} | {took[ROUNDS // 2]:.1f} | {took[int(ROUNDS * 0.95)]:.1f} | {told} |", flush=True)
        for line in [one for one in plans.splitlines() if WHOLE.search(one)]:
            print(f"    {line.strip()[:120]}")
    print(f"\nload average: {os.getloadavg()[0]:.2f}")
    return wrong


def index(database: SqlDatabase) -> None:
    """Give films what queries are answered from, as the intake does."""
    study, film = tables.study.c, tables.instance
    told = {
        "attributes": "{}",
        "patient_id": study.patient_id,
        "accession_number": study.accession_number,
        "study_date": type_coerce(study.arrived_at, BigInteger) // DAY,
    }
    with database.engine.connect() as connection, connection.begin():
        connection.execute(update(film).where(film.c.study_instance_uid == study.study_instance_uid).values(told))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def once(database: SqlDatabase, writes: bool, step: Step, number: int) -> float:
    """Seconds of one transaction."""
    began = time.perf_counter()
    with database.write() if writes else database.read() as tx:
        step(tx, number)
    return time.perf_counter() - began


@contextmanager
def statements(database: SqlDatabase) -> Any:
    """What is asked meanwhile: (statement, parameters)."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH", "UPDATE", "INSERT")) and "advisory" not in statement:
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(database.engine, "before_cursor_execute", note)


def explained(database: SqlDatabase, asked: list[tuple[str, Any]]) -> str:
    """Their plans."""
    with database.read() as tx:
        rows = [tx.connection.exec_driver_sql(f"EXPLAIN {statement}", given).scalars() for statement, given in asked]
        return "\n".join(line for one in rows for line in one)
