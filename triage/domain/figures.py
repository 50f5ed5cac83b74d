"""What is counted for the administrator's monitoring: a table of figures, each with its unit and its help text.

Each process counts what it does (:mod:`triage.services.tally`) and adds it to the database's rows with its signs of life; what
the rows of the service itself say (queue, list, deliveries) is asked there and not counted. Labels hold no UID and nothing of
a patient, and few values: a sender's AE title is one of at most :data:`SENDERS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample: its name, and its labels sorted by name."""
SENDERS = 100
OTHER = "other"
"""Whoever comes beyond that, and whatever is no AE title."""
SOON = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LATE = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class Kind(StrEnum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Figure:
    """One family. ``name`` without ``_total``; ``buckets``: upper bounds, in the figure's unit."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, help: str, *labels: str) -> Figure:
    return Figure(name, Kind.COUNTER, help, labels)


def _gauge(name: str, help: str, *labels: str) -> Figure:
    return Figure(name, Kind.GAUGE, help, labels)


def _seconds(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Figure:
    return Figure(name, Kind.HISTOGRAM, help, labels, buckets)


FILMS = _counter(
    "triage_films_received",
    "Films that came by C-STORE or STOW-RS, by sender and by the status that answered them (0000: stored).",
    "sender",
    "status",
)
BYTES = _counter("triage_received_bytes", "Bytes of films that were stored, by sender.", "sender")
TURNED_AWAY = _counter("triage_associations_refused", "Associations that were turned away before any film.")
LISTED = _seconds("triage_film_listed_seconds", "From the first byte of a film until it is durable and on the list.", SOON)
WAITED = _seconds("triage_queue_wait_seconds", "From a study's last film until a worker takes it up.", LATE)
ASSESSED = _seconds("triage_film_assessed_seconds", "From a study's last film until its assessment is on the list.", LATE)
STEP = _seconds(
    "triage_assessment_step_seconds", "Time of a step of assessing: open and prepare a film, network, write.", SOON, "step"
)
OUTCOMES = _counter("triage_outcomes", "Studies that were assessed or excused, by level.", "level")
EXCUSED = _counter("triage_films_excused", "Films that the network could not score, by reason.", "reason")
SIGN_INS = _counter("triage_sign_ins", "Sign-ins with a password, by what became of them: ok, refused, throttled.", "outcome")
STEPS = _counter(
    "triage_reading_steps", "Steps of reading (claim, read …), by what became of them: done, refused.", "step", "outcome"
)
ARCHIVED = _gauge("triage_archive_films", "Films in the archive, as the scheduler last counted them.")
ARCHIVED_BYTES = _gauge("triage_archive_bytes", "Bytes of films in the archive, as the scheduler last counted them.")
FAULTY = _gauge("triage_archive_faulty_films", "Films that are known to be damaged or missing.")
UNSCRUBBED = _gauge("triage_scrub_unread_films", "Films that were not read again since they came.")
SCRUBBED_FROM = _gauge("triage_scrub_oldest_timestamp_seconds", "When the film was read that was not read again for longest.")
AUDIT_INTACT = _gauge("triage_audit_intact", "1 when the audit chain held when it was last walked, else 0.")
AUDIT_WALKED = _gauge("triage_audit_verified_timestamp_seconds", "When the audit chain was last walked to its end.")

FIGURES: Mapping[str, Figure] = {
    one.name: one
    for one in (
        FILMS, BYTES, TURNED_AWAY, LISTED, WAITED, ASSESSED, STEP, OUTCOMES, EXCUSED, SIGN_INS, STEPS,
        ARCHIVED, ARCHIVED_BYTES, FAULTY, UNSCRUBBED, SCRUBBED_FROM, AUDIT_INTACT, AUDIT_WALKED,
    )
}  # fmt: skip
"""Every figure that is counted."""


def bound_of(figure: Figure, value: float) -> str:
    """The bucket of a histogram that a value falls into: the ``le`` label of its upper bound."""
    return next((f"{bound:g}" for bound in figure.buckets if value <= bound), "+Inf")
