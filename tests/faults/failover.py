"""A primary, a standby that has what was acknowledged, and what comes of the service when they change places (F42)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests import postgres
from tests.faults.cable import Cable
from tests.faults.server_site import Story, site
from tests.integration.service import until
from tests.size import size

FILMS = size(24, 120)


class Standby(postgres.Server):
    """Follows ``primary``."""

    def __init__(self, *arguments: Any, primary: postgres.Server) -> None:
        self.primary = primary
        super().__init__(*arguments)

    def make(self) -> None:
        whose = ("-h", self.primary.address, "-p", str(self.primary.port), "-U", postgres.USER)
        self.run("pg_basebackup", *whose, "-D", str(self.folder), "-R", "-X", "stream", "-c", "fast")

    def promote(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder), "-w", "promote")


@contextmanager
def pair() -> Iterator[tuple[postgres.Server, Standby, str]]:
    """A primary, its standby and the name of a database; nothing is committed before both have it."""
    with postgres.server() as primary:
        name = primary.owned().rpartition("/")[2]
        with postgres.server(kind=partial(Standby, primary=primary)) as standby:
            assert isinstance(standby, Standby)
            primary.say("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.say("SELECT pg_reload_conf()")
            yield primary, standby, name


def failover(folder: Path) -> Story:
    """The primary crashes, the standby is promoted; the URL names both, as ``docs/postgresql.md`` has it."""
    story = Story()
    with pair() as (primary, standby, name):
        hosts = "&".join(f"host={one.address}:{one.port}" for one in (primary, standby))
        url = f"postgresql://triage@/{name}?{hosts}"
        with site(folder, url, direct=standby.url(name, "triage")) as one:
            with one.sending(FILMS):
                one.wait_sent(FILMS // 4)
                primary.stop("immediate")
                one.wait_refused()
                standby.promote()
                story.back = one.time_back()
            return one.books(story)


def left_at_the_standby(folder: Path) -> Story:
    """A balancer leads to the standby for a while; who was led there must not stay: nothing can be written, and it lags."""
    story = Story()
    with pair() as (primary, standby, name):
        here, there = primary.url(name, "triage"), standby.url(name, "triage")
        with closing(Cable(here)) as cable, site(folder, cable.url, direct=here) as one:
            with one.sending(FILMS):
                one.wait_sent(FILMS // 4)
                cable.turn(there)
                cable.drop()
                one.wait_refused()
                until(lambda: not at(standby), 30, "nobody at the standby")
                cable.turn(here)
                story.back = one.time_back()
            return one.books(story)


def at(server: postgres.Server) -> int:
    """Connections of the service there."""
    return server.asked("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'triage'")
