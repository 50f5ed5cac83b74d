"""F42: PostgreSQL goes away, in every way there is, while films arrive. ``python -m tests.faults server [STORY …]``."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests import postgres
from tests.faults.cable import Cable
from tests.faults.failover import failover, left_at_the_standby
from tests.faults.server_room import disk_full
from tests.faults.server_site import Story, site
from tests.integration.service import until
from tests.size import size

FILMS = size(24, 120)
STOPPED_FOR = size(13.0, 60.0)
CUTS = size(4, 20)
FEW_CONNECTIONS = "max_connections=12\nsuperuser_reserved_connections=2\n"


def crash(folder: Path) -> Story:
    """``pg_ctl stop -m immediate`` under load, twice."""
    story = Story()
    with postgres.server() as server, site(folder, server.owned()) as one:
        for _ in range(2):
            with one.sending(FILMS // 2):
                one.wait_sent(FILMS // 8)
                server.stop("immediate")
                one.wait_refused()
                server.start()
                story.back = max(story.back, one.time_back())
        return one.books(story)


def stopped(folder: Path) -> Story:
    """SIGSTOP of the server and of everyone who serves a client, for a minute."""
    story = Story()
    with postgres.server() as server, site(folder, server.owned()) as one:
        with one.sending(FILMS):
            one.wait_sent(FILMS // 4)
            pids, over = [server.pid, *children(server.pid)], time.monotonic() + STOPPED_FOR
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                one.wait_refused()
                until(lambda: time.monotonic() > over, STOPPED_FOR + 60)
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            story.back = one.time_back()
        return one.books(story)


def children(pid: int) -> list[int]:
    """Its processes."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cut_in_commit(folder: Path) -> Story:
    """The connection ends around the COMMIT of a film and of an outcome: half of them done, half never heard of."""
    story = Story()
    with postgres.server() as server:
        direct = server.owned()
        with (
            closing(Cable(direct)) as films,
            closing(Cable(direct, b"INSERT INTO outcome")) as outcomes,
            site(folder, films.url, direct=direct, worker_url=outcomes.url) as one,
        ):
            for films.before in (False, True):
                outcomes.before = films.before
                with one.sending(FILMS // 2):
                    films.cuts = outcomes.cuts = CUTS
                    until(lambda: films.cuts == 0, 60, "commits of films cut off")
                until(lambda: outcomes.cuts == 0, 60, "commits of outcomes cut off")
            story = one.books(story)
            if (films.cut, outcomes.cut) != (2 * CUTS, 2 * CUTS) or one.refused < 2 * CUTS:
                story.wrong.append(f"{films.cut} and {outcomes.cut} commits cut off, {one.refused} refused")
            return story


def no_connection_left(folder: Path) -> Story:
    """Somebody takes every connection that the server has."""
    story = Story()
    with postgres.server(settings=FEW_CONNECTIONS) as server, site(folder, url := server.owned()) as one:
        with one.sending(FILMS):
            one.wait_sent(FILMS // 4)
            taken = take_all(server, url)
            one.wait_refused()
            for connection in taken:
                connection.close()
            story.back = one.time_back()
        return one.books(story)


def take_all(server: postgres.Server, url: str) -> "list[psycopg.Connection]":
    """Every connection that an ordinary user can have; who has one loses it, until none is left to the service."""
    taken: list[psycopg.Connection] = []

    def full() -> bool:
        server.say("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'triage'")
        try:
            while True:
                taken.append(psycopg.connect(url, application_name="hog"))
        except psycopg.OperationalError:
            return len(taken) >= 10

    until(full, 60, "all connections taken")
    return taken


STORIES: dict[str, Callable[[Path], Story]] = {
    "crash": crash,
    "stopped": stopped,
    "cut in commit": cut_in_commit,
    "no connection left": no_connection_left,
    "disk full": disk_full,
    "failover": failover,
    "left at the standby": left_at_the_standby,
}


def told(name: str) -> Story:
    """One story, in a folder that goes away."""
    with TemporaryDirectory(prefix="triage-server-") as folder:
        return STORIES[name](Path(folder))


def run(arguments: list[str]) -> int:
    """Each, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults server")
    parser.add_argument("stories", nargs="*", default=list(STORIES))
    stories = parser.parse_args(arguments).stories
    print("| what | " + " | ".join(one.name for one in fields(Story)) + " |\n" + "|---" * (len(fields(Story)) + 1) + "|")
    good = True
    for name in stories:
        story = told(name)
        good &= story.good
        cells = [f"{one:.1f}" if isinstance(one, float) else str(one) for one in astuple(story)[:-1]]
        print(f"| {name} | {' | '.join(cells)} | {'; '.join(story.wrong) or 'nothing'} |", flush=True)
    return int(not good)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
