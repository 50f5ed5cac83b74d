"""``python -m tests.benchmark list [--quick]``: the list with 200,000 unread studies, and 30 readers while more arrive.

The web role runs as it is served, in its own process; times are those of a whole answer over loopback. ``--quick``: a tenth of
the studies, a tenth of the arrivals. ``--profile``: where the time of the first page goes, function by function.
"""

import asyncio
import cProfile
import http.client
import json
import os
import pstats
import re
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
from sqlalchemy import event

from tests.benchmark import crowd
from tests.benchmark.backlog import build
from tests.integration.service import Service
from tests.unit.web.signed_in import SignedIn
from triage.database.engine import SqlDatabase
from triage.domain.account import Role
from triage.web.app import create_app

AFTER_A_CHANGE = "after a change"
"""A piece shown to everybody is kept until the list changes: with this in its name a path is asked for after one."""
PATHS: dict[str, tuple[str, str]] = {
    "first page, after a change": ("/", ""),
    "first page, unchanged": ("/", ""),
    "its fragment": ("/fragments/worklist", ""),
    "API, 100 rows": ("/api/v1/worklist?limit=100", ""),
    "flagged only, after a change": ("/?level=flagged", ""),
    "not flagged only, after a change": ("/?level=not_flagged", ""),
    "the last 8 hours, after a change": ("/?within=8h", ""),
    "being read, after a change": ("/?status=claimed", ""),
    "read, after a change": ("/?status=read", ""),
    "by patient, after a change": ("/?sort=patient", ""),
    "by arrival, the last first, after a change": ("/?sort=-arrived", ""),
    "page 1,000, after a change": ("/?page=1000", ""),
    "search: a family name": ("/fragments/worklist", "okafor"),
    "search: an accession number": ("/fragments/worklist", "ACC00012345"),
    "search: no hit": ("/fragments/worklist", "nobodyofthisname"),
    "API, search": ("/api/v1/worklist/search?limit=100", "ACC00012345"),
}
"""What is measured: an address, and words to search for (sent in a body). The rows found tell what was understood."""
ROUNDS = 100
ENOUGH_MS = 4_000
"""So long one path is measured at most."""
FIRST_PAGE_MS, LIVE_PAGE_MS = 100, 200
"""What is promised: p95 of the first page, and of a page while thirty people look on."""


def main(arguments: list[str]) -> None:
    """Build, measure, print Markdown."""
    quick = "--quick" in arguments
    count, arrivals = (20_000, 30) if quick else (200_000, 300)
    print(f"load average before: {os.getloadavg()[0]:.2f}; a busy machine makes these figures worthless\n")
    with tempfile.TemporaryDirectory(prefix="triage-list-") as folder:
        began = time.perf_counter()
        database = build(Path(folder) / "home", count)
        print(f"{count} unread studies built in {time.perf_counter() - began:.0f} s\n", flush=True)
        explain(database)
        if "--profile" in arguments:
            profile(database)
        service = Service(Path(folder) / "home", ("web",)).start()
        try:
            pages(service, database)
            look_on(service, database, count, arrivals)
        finally:
            service.kill()
            database.close()
    print(f"\nload average after: {os.getloadavg()[0]:.2f}")


def p(took: list[float], share: float) -> float:
    """A percentile, by the nearest rank."""
    return sorted(took)[min(len(took) - 1, int(share * len(took)))]


def pages(service: Service, database: SqlDatabase) -> None:
    """Each path again and again over one connection, nobody else asking."""
    print("| one reader | answers | rows | kB | p50 ms | p95 ms |\n|---|---|---|---|---|---|")
    service.get("/api/v1/me")  # makes the token
    with closing(http.client.HTTPConnection("127.0.0.1", service.web_port, timeout=60)) as connection:
        for name, (path, words) in PATHS.items():
            took, size, rows = [], 0, 0
            body = json.dumps({"q": words}) if words else None
            headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
            for number in range(ROUNDS + 1):
                if sum(took) > ENOUGH_MS:
                    break
                if AFTER_A_CHANGE in name:
                    change(database)
                began = time.perf_counter()
                connection.request("POST" if words else "GET", path, body, headers)
                answer = connection.getresponse()
                found = answer.read()
                if answer.status != 200:
                    print(f"| {name} `{path}` | answered with {answer.status} | | | | |")
                    break
                if number:
                    took.append((time.perf_counter() - began) * 1000)
                size, rows = len(found), len(re.findall(rb'<tr id="study-|"study_instance_uid"', found))
            promise = f" (wanted: < {FIRST_PAGE_MS})" if path == "/" and AFTER_A_CHANGE in name else ""
            if took:
                figures = f"{len(took)} | {rows} | {size // 1000} | {p(took, 0.5):.1f} | {p(took, 0.95):.1f}{promise}"
                print(f"| {name} `{path}` | {figures} |")
    print(flush=True)


def change(database: SqlDatabase) -> None:
    """The list's revision is raised, as by a step of any reader."""
    with database.write() as tx:
        tx.put_study(tx.worklist(limit=1)[0])


def look_on(service: Service, database: SqlDatabase, count: int, arrivals: int) -> None:
    """Thirty readers, first at the true rate of 300 studies an hour, then an hour's studies in a minute or less."""
    print("| readers | arrivals | of an hour at | pages | p50 ms | p95 ms | worst ms | event → list p95 ms | updates missed |")
    print("|---|---|---|---|---|---|---|---|---|")
    start = count + 1
    tokens = [service.another_token(f"reader-{number}") for number in range(1, crowd.READERS + 1)]
    for number, factor in ((3, 1), (arrivals, 60)):
        seen = asyncio.run(crowd.run(service, database, tokens, range(start, start + number), factor))
        start += number
        wanted = f" (wanted: < {LIVE_PAGE_MS})" if factor == 1 else ""
        figures = f"{len(seen.pages)} | {p(seen.pages, 0.5):.0f} | {p(seen.pages, 0.95):.0f}{wanted} | {max(seen.pages):.0f}"
        print(
            f"| {crowd.READERS} | {number} | {factor} × | {figures} | {p(seen.delays, 0.95):.0f} | {seen.missed} |", flush=True
        )


def explain(database: SqlDatabase) -> None:
    """How SQLite finds what the first page shows: every statement of it, explained."""
    statements: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            statements.setdefault(statement, parameters)

    event.listen(database.engine, "before_cursor_execute", note)
    ask(database, "/")
    event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as tx:
        for statement, parameters in statements.items():
            plan = tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            print(f"    {' '.join(statement.split())[:40]} … {' '.join(statement.split())[-110:]}")
            for row in plan:
                print(f"        {row[3]}")
    print(flush=True)


def profile(database: SqlDatabase) -> None:
    """Twenty first pages in this process, after one to warm up."""
    app = application(database)
    asyncio.run(answers(app, "/", 1))
    profiler, elsewhere = cProfile.Profile(), anyio.to_thread.run_sync

    async def here(function: Any, *arguments: Any, **_: Any) -> Any:  # a profiler sees its own thread alone
        return function(*arguments)

    anyio.to_thread.run_sync = here  # type: ignore[assignment]
    try:
        profiler.runcall(asyncio.run, answers(app, "/", 20))
    finally:
        anyio.to_thread.run_sync = elsewhere
    for order in ("cumulative", "tottime"):
        pstats.Stats(profiler).sort_stats(order).print_stats(r"triage|sqlalchemy|sqlite|jinja|template", 25)
    app.state.previews.close()
    app.state.opened.close()


def ask(database: SqlDatabase, path: str) -> None:
    """One page in this process."""
    app = application(database)
    asyncio.run(answers(app, path, 1))
    app.state.previews.close()
    app.state.opened.close()


def application(database: SqlDatabase) -> Any:
    """The web application as a radiologist meets it."""
    return create_app(
        database,
        clock=lambda: datetime.now(UTC),
        free_bytes=lambda: 10**12,
        authenticator=SignedIn(role=Role.RADIOLOGIST),
        heartbeat_limit=timedelta(hours=2),  # the roles of the backlog beat once
    )


async def answers(app: Any, path: str, times: int) -> None:
    """Ask without a socket."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=60) as client:
        for _ in range(times):
            assert (await client.get(path)).status_code == 200


if __name__ == "__main__":
    main(sys.argv[1:])
