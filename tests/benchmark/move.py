"""A site of many studies moved from SQLite to PostgreSQL: rows, time, digests."""

import os
import tempfile
import time
from pathlib import Path

from tests import postgres
from tests.benchmark import plans
from tests.benchmark.backlog import build
from triage.database.engine import SqlDatabase, open_engine
from triage.database.move import move


def main(studies: int) -> None:
    """One line a table, and the time."""
    with tempfile.TemporaryDirectory() as folder, postgres.server() as server:
        engine = build(Path(folder) / "home", studies).engine
        target, began = open_engine(server.owned()), time.monotonic()
        moved = move(engine, target)
        took = time.monotonic() - began
        for one in moved:
            if one.rows:
                print(f"| {one.table} | {one.rows} | {one.digest[:16]} |")
        rows = sum(one.rows for one in moved)
        print(f"\n{studies} studies, {rows} rows: {took:.0f} s, {rows / took:.0f} rows/s; load {os.getloadavg()[0]:.2f}")
        plans.measure(SqlDatabase(target), studies)
        target.dispose()
        engine.dispose()
