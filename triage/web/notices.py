"""The banners of the worklist: what a reader has to know about the list before trusting its order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from triage.domain.delivery import LONG
from triage.web.text import clock_time, plain
from triage.web.vitals import PUBLISHER, Vitals

TOLD_FOR = timedelta(hours=1)
"""So long a change of the network stands above the list; the assessments name their network for good."""
IN_ARRIVAL_ORDER = "New studies are listed in order of arrival."


@dataclass(frozen=True, slots=True)
class Notice:
    """``tone``: ``alarm`` when studies may be missing from the list, ``warning`` when their order suffers, else ``news``."""

    tone: str
    headline: str
    detail: str


def films_arrive(vitals: Vitals) -> Iterator[Notice]:
    """Whether films can come in at all: otherwise the list lacks what nobody will notice."""
    troubled = [one for one in vitals.instances("intake") if vitals.lives(one) and one.trouble]
    if vitals.free_bytes <= 0:
        yield Notice("alarm", "Storage is full", "New films are refused and are missing from this list.")
    elif not vitals.alive("intake"):
        yield Notice("alarm", f"Films are not received {_since(vitals, 'intake')}", "New films are missing from this list.")
    elif troubled:  # one of several is enough: what it refuses is missing
        yield Notice("alarm", "Films may be missing from this list", f"{plain(troubled[0].trouble, 200)}.")


def modalities_send(vitals: Vitals) -> Iterator[Notice]:
    """Whether a modality that usually sends has fallen silent: nobody misses what never came."""
    if vitals.silent:
        yield Notice("warning", "A modality has fallen silent", f"{plain(vitals.silent, 300)}.")


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


def flags_order(vitals: Vitals) -> Iterator[Notice]:
    """Whether the flags still set anything apart: where all are flagged, the list is in order of arrival by itself."""
    if vitals.flood:
        yield Notice("warning", "Nearly everything is flagged", f"{plain(vitals.flood, 200)}. {IN_ARRIVAL_ORDER}")


def answers_drift(vitals: Vitals) -> Iterator[Notice]:
    """Whether what the network says has changed since it began here."""
    if vitals.drift:
        yield Notice("news", "The network's answers have changed", f"{plain(vitals.drift, 400)}.")


def network_changed(vitals: Vitals) -> Iterator[Notice]:
    """Whether another network has begun to serve a short while ago."""
    since = vitals.model_changed_at
    if since is not None and timedelta(0) <= vitals.now - since < TOLD_FOR and vitals.model:
        words = f"{plain(vitals.model, 128)}. Studies assessed before keep the assessment they have."
        yield Notice("news", f"Another network serves since {clock_time(since, vitals.now)}", words)


def results_arrive(vitals: Vitals) -> Iterator[Notice]:
    """Whether other systems know what this list knows: their readers cannot see that they do not."""
    if vitals.publishes and not vitals.alive(PUBLISHER):
        yield Notice("warning", f"Results are not sent {_since(vitals, PUBLISHER)}", "Other systems lack what stands here.")
    for one in vitals.destinations:
        since = one.oldest_waiting
        if since is not None and vitals.now - since > LONG:
            words = f"{one.waiting} wait since {clock_time(since, vitals.now)}. Its own list lacks what stands here."
            yield Notice("warning", f"Results do not reach {one.name}", words)
        elif one.refuses:
            words = f"{one.refused} refused, the last one among them. See Administration → Deliveries."
            yield Notice("warning", f"{one.name} refuses results", words)


RULES: tuple[Callable[[Vitals], Iterator[Notice]], ...] = (
    films_arrive,
    modalities_send,
    network_runs,
    flags_order,
    answers_drift,
    results_arrive,
    network_changed,
)


def notices(vitals: Vitals) -> tuple[Notice, ...]:
    """What stands above the list now, gravest first. When the database is silent the page itself says so."""
    return tuple(notice for rule in RULES for notice in rule(vitals)) if vitals.database_answers else ()


def _since(vitals: Vitals, role: str) -> str:
    status = vitals.role(role)
    return f"since {clock_time(status.beat_at, vitals.now)}" if status else "yet"
