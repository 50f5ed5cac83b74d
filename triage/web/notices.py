"""The banners of the worklist: what a reader has to know about the list before trusting its order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from triage.web.text import clock_time, plain
from triage.web.vitals import Vitals

IN_ARRIVAL_ORDER = "New studies are listed in order of arrival."


@dataclass(frozen=True, slots=True)
class Notice:
    """``tone`` is ``alarm`` when studies may be missing from the list, ``warning`` when only their order suffers."""

    tone: str
    headline: str
    detail: str


def films_arrive(vitals: Vitals) -> Iterator[Notice]:
    """Whether films can come in at all: otherwise the list lacks what nobody will notice."""
    intake = vitals.role("intake")
    if vitals.free_bytes <= 0:
        yield Notice("alarm", "Storage is full", "New films are refused and are missing from this list.")
    elif not vitals.alive("intake"):
        yield Notice("alarm", f"Films are not received {_since(vitals, 'intake')}", "New films are missing from this list.")
    elif intake is not None and intake.trouble:
        yield Notice("alarm", "Films may be missing from this list", f"{plain(intake.trouble, 200)}.")


def network_runs(vitals: Vitals) -> Iterator[Notice]:
    """Whether new studies get an assessment."""
    worker = vitals.role("worker")
    if worker is None or not vitals.alive("worker"):
        yield Notice("warning", f"Network not running {_since(vitals, 'worker')}", IN_ARRIVAL_ORDER)
    elif worker.model is None:
        cause = plain(worker.trouble or "none is loaded", 200)
        yield Notice("warning", "No usable model", f"{cause}. {IN_ARRIVAL_ORDER}")
    elif worker.trouble:
        yield Notice("warning", "Network in trouble", f"{plain(worker.trouble, 200)}.")


RULES: tuple[Callable[[Vitals], Iterator[Notice]], ...] = (films_arrive, network_runs)


def notices(vitals: Vitals) -> tuple[Notice, ...]:
    """What stands above the list now, gravest first. When the database is silent the page itself says so."""
    return tuple(notice for rule in RULES for notice in rule(vitals)) if vitals.database_answers else ()


def _since(vitals: Vitals, role: str) -> str:
    status = vitals.role(role)
    return f"since {clock_time(status.beat_at, vitals.now)}" if status else "yet"
