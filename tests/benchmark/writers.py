"""Write transactions a second on SQLite and on PostgreSQL, by so many processes at once: what one writer at a time allows."""

import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import postgres
from tests.unit.domain import make
from triage.database.engine import SqlDatabase, open_engine
from triage.database.schema import ensure
from triage.database.sqlite import sqlite_url


def _write(url: str, number: int, seconds: float, done: Any) -> None:
    database, count = SqlDatabase(open_engine(url)), 0
    study = make.study(f"1.2.{number}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with database.write() as transaction:
            transaction.study(study.study_instance_uid)
            transaction.put_study(study)
        count += 1
    done.put(count)
    database.close()


def measure(url: str, processes: int, seconds: float) -> float:
    """Transactions a second: one read, one study written, the list's revision raised."""
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    started = [context.Process(target=_write, args=(url, number, seconds, done)) for number in range(processes)]
    for process in started:
        process.start()
    total = sum(done.get() for _ in started)
    for process in started:
        process.join()
    return total / seconds


def main(seconds: float = 5.0) -> None:
    """The table of docs/decisions/0031-postgresql.md."""
    print("| database | processes | write transactions/s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, postgres.server() as server:
        urls = {"SQLite": sqlite_url(Path(folder) / "triage.db"), "PostgreSQL": server.create()}
        for name, url in urls.items():
            engine = open_engine(url)
            ensure(engine)
            engine.dispose()
            for processes in (1, 4, 8):
                print(f"| {name} | {processes} | {measure(url, processes, seconds):.0f} |", flush=True)
    print(f"\nload average after: {os.getloadavg()[0]:.2f}")
