"""A study on the list: how it begins, how images and outcomes change it. Pure: every step returns a new value."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from triage.domain.assessment import NotAssessed, Outcome
from triage.domain.doubt import Doubt, graver
from triage.domain.instance import Facts
from triage.domain.level import HeadStarts, Level, reading_key
from triage.domain.reason import Reason


class ReadingState(StrEnum):
    """Where a reader is with a study. Only READ takes it off the unread list."""

    UNREAD = "unread"
    CLAIMED = "claimed"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Who reads a study, and the verdict once read.

    ``since``: when the present state began; ``lease_until``: when a claim runs out; ``verdict_at``: when the verdict was given.
    """

    state: ReadingState = ReadingState.UNREAD
    reader: str | None = None
    since: datetime | None = None
    lease_until: datetime | None = None
    verdict: str | None = None
    verdict_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study and its place.

    ``network_level`` is the network's word; ``level`` is what counts: STAT when a person said so. ``probability`` is a
    number exactly where an assessment stands. ``images_covered`` counts the films that the standing assessment scored.
    ``ordered``: an order of the RIS asks for STAT; ``told``: what a person has said of STAT since, ``None``: nothing.
    ``doubt``: the gravest that stands of whose its films are, and whether they are all there.
    """

    study_instance_uid: str
    facts: Facts
    arrived_at: datetime
    images: int
    network_level: Level
    key: datetime
    head_start: timedelta
    stat: bool = False
    ordered: bool = False
    told: bool | None = None
    reason: Reason | None = None
    probability: float | None = None
    model: str | None = None
    images_covered: int = 0
    assessed_at: datetime | None = None
    doubt: Doubt | None = None
    reading: Reading = field(default_factory=Reading)

    @property
    def level(self) -> Level:
        """The level that decides the place: a person outranks the network."""
        return Level.STAT if self.stat else self.network_level


def placed(study: Study, policy: HeadStarts) -> Study:
    """The study with the head start and key that its level gives under ``policy``."""
    head_start = policy.of(study.level)
    return replace(study, head_start=head_start, key=reading_key(study.arrived_at, head_start))


def begin(study_instance_uid: str, facts: Facts, arrived_at: datetime, policy: HeadStarts) -> Study:
    """A study on the arrival of its first image: pending, on the list at once."""
    study = Study(
        study_instance_uid=study_instance_uid,
        facts=facts,
        arrived_at=arrived_at,
        images=1,
        network_level=Level.PENDING,
        key=arrived_at,
        head_start=timedelta(0),
    )
    return placed(study, policy)


def with_person_stat(study: Study, stat: bool, policy: HeadStarts) -> Study:
    """A person says STAT, or that it is not; that outranks the orders of the RIS until one asks for it anew."""
    return placed(replace(study, stat=stat, told=stat if study.ordered else None), policy)


def with_order(study: Study, asked: bool, policy: HeadStarts) -> Study:
    """The orders of the RIS ask for STAT, or do so no longer: then what they did is undone, and what a person said stands."""
    if asked is study.ordered:
        return study
    if asked:
        return placed(replace(study, stat=True, ordered=True, told=True if study.stat else None), policy)
    return placed(replace(study, stat=study.told is True, ordered=False, told=None), policy)


def with_image(study: Study, policy: HeadStarts) -> Study:
    """A further image arrived: a flagged study stays flagged, any other is pending until the new set is assessed.

    A study already read comes back unread: the late image has not been seen by anybody. Who read it before stands in the
    history of readings.
    """
    reading = Reading() if study.reading.state is ReadingState.READ else study.reading
    study = replace(study, images=study.images + 1, reading=reading)
    if study.network_level is Level.FLAGGED:
        return placed(study, policy)
    return placed(_unassessed(study), policy)


def with_outcome(study: Study, outcome: Outcome, policy: HeadStarts) -> Study:
    """The network spoke of exactly the images the study has now (the caller compares). Flagged stays flagged."""
    if isinstance(outcome, NotAssessed):
        if study.network_level is Level.FLAGGED:
            return study
        study = replace(
            study,
            network_level=outcome.level,
            reason=outcome.reason,
            probability=None,
            model=outcome.model.label if outcome.model else None,
            images_covered=0,
            assessed_at=outcome.decided_at,
        )
        return placed(_doubted(study), policy)
    if study.network_level is Level.FLAGGED and outcome.probability < (study.probability or 0.0):
        return study  # the flag and the number it rests on stay together: another model's lower one stands in the history
    study = replace(
        study,
        network_level=Level.FLAGGED if study.network_level is Level.FLAGGED else outcome.level,
        reason=None,
        probability=outcome.probability,
        model=outcome.model.label,
        images_covered=len(outcome.scores),
        assessed_at=outcome.assessed_at,
    )
    return placed(_doubted(study), policy)


def without_model(study: Study, policy: HeadStarts) -> Study:
    """No usable model: a pending study says so; it keeps its place and its job, and is assessed once there is one."""
    if study.network_level is not Level.PENDING:
        return study
    return placed(_doubted(replace(study, network_level=Level.NOT_ASSESSED, reason=Reason.NO_MODEL)), policy)


def with_doubt(study: Study, doubt: Doubt, policy: HeadStarts) -> Study:
    """It is doubtful whose films these are, or a film is missing from them. A flag stays; a graver mark is never lowered.

    A study already read comes back unread where the mark says so: its reader did not know.
    """
    again = doubt.reopens and study.reading.state is ReadingState.READ
    study = replace(study, doubt=graver(study.doubt, doubt), reading=Reading() if again else study.reading)
    return placed(_doubted(study), policy)


def with_doubt_settled(study: Study, left: Doubt | None, outcome: Outcome | None, policy: HeadStarts) -> Study:
    """What made the study doubtful was decided or mended; ``left``: the mark that stands now, if any.

    ``outcome``: what the network said of exactly the films that it has; ``None``: nothing yet, the study is pending (the caller
    sees to a job). A flag stays as it is, and so does whoever has read the study.
    """
    was = study.doubt.reason if study.doubt else None
    study = replace(study, doubt=left)
    if study.network_level is not Level.NOT_ASSESSED or was is None or study.reason is not was:
        return placed(_doubted(study), policy)
    study = _unassessed(study)
    return placed(study, policy) if outcome is None else with_outcome(study, outcome, policy)


def with_film_replaced(study: Study, facts: Facts, policy: HeadStarts) -> Study:
    """A person had another film take the place of one: what was said rests on a film that the study has no more.

    Pending, a flag too, until the network has seen the present films; a study already read comes back unread.
    """
    reading = Reading() if study.reading.state is ReadingState.READ else study.reading
    return placed(_unassessed(replace(study, facts=facts, reading=reading)), policy)


def _unassessed(study: Study) -> Study:
    return replace(
        study, network_level=Level.PENDING, reason=None, probability=None, model=None, images_covered=0, assessed_at=None
    )


def _doubted(study: Study) -> Study:
    """Neither a score below the operating point nor another reason outlasts a doubt that has a reason of its own."""
    reason = study.doubt.reason if study.doubt else None
    if reason is None or study.network_level in (Level.FLAGGED, Level.PENDING):
        return study
    return replace(study, network_level=Level.NOT_ASSESSED, reason=reason, probability=None, images_covered=0)
