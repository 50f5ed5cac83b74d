"""``python -m tests.benchmark.analytics [STUDIES]``: the analytics page over a hospital's years, 300 studies a day.

Day peaks, prevalence 0.3, sensitivity 0.90, specificity 0.85, three readers on one list; then the page's time by period.
"""

import heapq
import os
import random
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import insert

from tests.unit.database.stores import sql_database
from tests.unit.web.conftest import Client
from tests.unit.web.signed_in import SignedIn
from triage.database import tables
from triage.database.engine import SqlDatabase
from triage.domain.level import HeadStarts, Level
from triage.web.app import create_app

A_DAY = 300
MINUTES_A_STUDY = 6
READERS = ("adler", "berg", "curie")
MODELS = ("gap6@1.0.0+5f2c81d9", "gap6@1.1.0+b2740c11")
POLICY = HeadStarts()
Row = dict[str, object]


def arrivals(studies: int, end: datetime, chance: random.Random) -> list[datetime]:
    """Moments up to ``end``: nine of ten between 8 and 18 h."""
    found = []
    for number in range(studies):
        day = (end - timedelta(days=number // A_DAY)).replace(hour=0, minute=0)
        hour = chance.gauss(13, 2.4) if chance.random() < 0.9 else chance.uniform(0, 24)
        found.append(day + timedelta(hours=min(23.99, max(0, hour))))
    return sorted(at for at in found if at < end)


def hospital(studies: int, end: datetime, seed: int = 5) -> Iterator[tuple[Row, Row | None]]:
    """Each study as its row and, once read, its reading: readers at all hours, fewer at night, the smallest key first."""
    chance = random.Random(seed)
    times = arrivals(studies, end, chance)
    coming = deque(_study(number, at, end - timedelta(days=11), chance) for number, at in enumerate(times))
    waiting: list[tuple[datetime, str, Row, bool]] = []
    free = [(times[0], reader) for reader in READERS]
    while (waiting or coming) and free:
        at, reader = heapq.heappop(free)
        if reader != READERS[0] and not 7 <= at.hour < 18:  # at night one reads
            heapq.heappush(free, (at.replace(hour=7) + timedelta(days=at.hour >= 18), reader))
            continue
        while coming and coming[0][0]["arrived_at"] <= at:  # type: ignore[operator]
            row, ill = coming.popleft()
            heapq.heappush(waiting, (row["key"], str(row["study_instance_uid"]), row, ill))  # type: ignore[arg-type]
        if not waiting:
            heapq.heappush(free, (coming[0][0]["arrived_at"], reader))  # type: ignore[arg-type]
            continue
        done = at + timedelta(minutes=chance.expovariate(1 / MINUTES_A_STUDY))
        if done < end:
            heapq.heappush(free, (done, reader))
            _, _, row, ill = heapq.heappop(waiting)
            yield _read(row, ill, done, reader, chance)
    yield from ((row, None) for _, _, row, _ in waiting)
    yield from ((row, None) for row, _ in coming)


def _study(number: int, at: datetime, change: datetime, chance: random.Random) -> tuple[Row, bool]:
    ill = chance.random() < 0.3
    level = Level.FLAGGED if chance.random() < (0.9 if ill else 0.15) else Level.NOT_FLAGGED
    score: float | None = chance.betavariate(5, 1.8) * 0.5 + 0.5 if level is Level.FLAGGED else chance.betavariate(1.6, 4) * 0.5
    if (lot := chance.random()) < 0.025:
        level, score = (Level.NOT_ASSESSED if lot < 0.015 else Level.OUT_OF_SCOPE), None
    stat = chance.random() < 0.02
    head_start = POLICY.of(Level.STAT if stat else level)
    row: Row = {
        "study_instance_uid": f"1.2.826.0.1.3680043.9.{number}",
        "arrived_at": at,
        "images": 1,
        "network_level": level.value,
        "stat": int(stat),
        "level": "stat" if stat else level.value,
        "reason": None if score is not None else "cannot_decode",
        "probability": score,
        "model": MODELS[at >= change],
        "images_covered": int(score is not None),
        "assessed_at": at,
        "head_start": head_start,
        "key": at - head_start,
        "reading_state": "unread",
        "reader": None,
        "reading_since": None,
        "verdict": None,
        "verdict_at": None,
    }
    return row, ill


def _read(row: Row, ill: bool, at: datetime, reader: str, chance: random.Random) -> tuple[Row, Row]:
    says = "agree" if ill == (row["network_level"] == "flagged") else "disagree"
    lot = chance.random()
    verdict = None if lot < 0.12 or row["probability"] is None else "not_assessable" if lot < 0.13 else says
    reading: Row = {
        "study_instance_uid": row["study_instance_uid"],
        "reader": reader,
        "read_at": at,
        "verdict": verdict,
        "network_level": row["network_level"],
        "probability": row["probability"],
        "model": row["model"],
    }
    told = {"reading_state": "read", "reader": reader, "reading_since": at, "verdict": verdict, "verdict_at": verdict and at}
    return row | told, reading


def fill(database: SqlDatabase, studies: int, end: datetime) -> None:
    """The hospital into the tables."""
    rows = sorted(hospital(studies, end), key=lambda pair: str(pair[1]["read_at"]) if pair[1] else "~")
    with database.engine.connect() as connection, connection.begin():
        for start in range(0, len(rows), 5000):
            part = rows[start : start + 5000]
            connection.execute(insert(tables.study), [study for study, _ in part])
            if readings := [reading for _, reading in part if reading]:
                connection.execute(insert(tables.reading), readings)


def timed(client: Client, path: str, rounds: int = 7) -> tuple[float, float, httpx.Response]:
    """Median and longest of some rounds, in seconds."""
    seconds = []
    for _ in range(rounds):
        before = time.perf_counter()
        answer = client.get(path)
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds), max(seconds), answer


def main(studies: int) -> None:
    """Fill, ask, print Markdown."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        database = sql_database(Path(temporary))
        fill(database, studies, end)
        app = create_app(database, clock=lambda: end, free_bytes=lambda: 10**10, authenticator=SignedIn())
        client = Client(app)
        first = (end - timedelta(days=90)).date()
        print(f"{studies:,} studies; load average {os.getloadavg()[0]:.2f}\n\n| asked | status | kB | median s | longest s |")
        print("|---|---|---|---|---|")
        for path in (
            "/analytics?period=24h",
            "/analytics?period=7d",
            "/analytics?period=30d",
            f"/analytics?period=days&from={first}&to={end.date()}",
            "/api/v1/analytics?period=30d",
            "/api/v1/analytics/misses?period=30d",
        ):
            median, longest, answer = timed(client, path)
            print(
                f"| `{path}` | {answer.status_code} | {len(answer.content) // 1024} | {median:.3f} | {longest:.3f} |",
                flush=True,
            )
        app.state.previews.close()
        app.state.opened.close()
        database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
