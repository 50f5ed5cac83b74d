"""How readers share the list: claim, release, take over, renew, read, unread again, and a person's STAT. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from triage.domain.audit import Action
from triage.domain.errors import ReadingInvalid, ReadingRefused
from triage.domain.level import HeadStarts, Level
from triage.domain.study import Reading, ReadingState, Study, with_person_stat
from triage.domain.verdict import Verdict

LEASE = timedelta(minutes=15)
NAME_MAX, TEXT_MAX = 128, 2000
"""Characters of a reader's name, and of a note or a reason."""


class Standing(StrEnum):
    """Where a study stands for the one who acts. A claim whose lease is over is free."""

    FREE = "free"
    MINE = "mine"
    OTHERS = "others"
    READ = "read"


class Refusal(Enum):
    """Why a step is refused, and what to do instead. What stands in braces is filled in."""

    HELD = "{holder} has been reading it since {since}; take it over, or wait for the release"
    READ_ALREADY = "{holder} read it already, at {since}; mark it unread first to read it again"
    NOT_HELD = "nobody holds a claim on it, or its lease is over; claim it again"
    NOT_READ = "it is not read; only a read study can be marked unread"
    NETWORK_CHANGED = "the network says something else now than when the verdict was given; look again, then mark it read"
    IMAGES_CHANGED = "{more} arrived; look at {them} first"
    DOUBT_CHANGED = "a mark was set meanwhile: {mark}; look at it first"


class Stays(Enum):
    """The reading stays as it is."""

    STAYS = "stays"


STAYS = Stays.STAYS
Next = ReadingState | Refusal | Stays

_EVERYWHERE_UNREAD: Mapping[Standing, Next] = {
    Standing.FREE: STAYS,
    Standing.MINE: STAYS,
    Standing.OTHERS: STAYS,
    Standing.READ: Refusal.READ_ALREADY,
}
STEPS: Mapping[Action, Mapping[Standing, Next]] = {
    Action.CLAIM: {
        Standing.FREE: ReadingState.CLAIMED,
        Standing.MINE: ReadingState.CLAIMED,
        Standing.OTHERS: Refusal.HELD,
        Standing.READ: Refusal.READ_ALREADY,
    },
    Action.RELEASE: {
        Standing.FREE: ReadingState.UNREAD,
        Standing.MINE: ReadingState.UNREAD,
        Standing.OTHERS: Refusal.HELD,
        Standing.READ: Refusal.READ_ALREADY,
    },
    Action.TAKEOVER: {
        Standing.FREE: ReadingState.CLAIMED,
        Standing.MINE: ReadingState.CLAIMED,
        Standing.OTHERS: ReadingState.CLAIMED,
        Standing.READ: Refusal.READ_ALREADY,
    },
    Action.RENEW: {
        Standing.FREE: Refusal.NOT_HELD,
        Standing.MINE: ReadingState.CLAIMED,
        Standing.OTHERS: Refusal.HELD,
        Standing.READ: Refusal.READ_ALREADY,
    },
    Action.READ: {
        Standing.FREE: ReadingState.READ,
        Standing.MINE: ReadingState.READ,
        Standing.OTHERS: Refusal.HELD,
        Standing.READ: Refusal.READ_ALREADY,
    },
    Action.UNREAD: {
        Standing.FREE: Refusal.NOT_READ,
        Standing.MINE: Refusal.NOT_READ,
        Standing.OTHERS: Refusal.NOT_READ,
        Standing.READ: ReadingState.UNREAD,
    },
    Action.STAT: _EVERYWHERE_UNREAD,
    Action.UNSTAT: _EVERYWHERE_UNREAD,
}
"""Action × standing: the state that follows, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What somebody wants done. ``verdict`` and ``note`` go with READ, ``reason`` with UNREAD, which needs one.

    ``network_level``: what the network had said when the verdict was given. *Agree* with *flagged* and *agree* with *not
    flagged* are opposite labels, so a result that changed under the reader's fingers must not turn the verdict round.
    ``images`` and ``assessed_at``: how many images, and the assessment of when, were seen: at the same level, too, a verdict
    counts only for what was looked at. ``doubt``: the code of the mark that was seen, empty for none
    (:class:`triage.domain.doubt.Doubt`). Each is compared where it is given.

    Raises:
        ReadingInvalid: no such step, a name, note or reason that cannot be used, or one that does not go with the action.
    """

    action: Action
    actor: str
    verdict: Verdict | None = None
    note: str | None = None
    reason: str | None = None
    network_level: Level | None = None
    images: int | None = None
    assessed_at: datetime | None = None
    doubt: str | None = None

    def __post_init__(self) -> None:
        if self.action not in STEPS:
            raise ReadingInvalid(f"{self.action.value} is no step of reading; there are: {', '.join(STEPS)}")
        if not (self.actor.strip() and self.actor.isprintable() and len(self.actor) <= NAME_MAX):
            raise ReadingInvalid(f"a reader's name has 1 to {NAME_MAX} printable characters")
        seen = (self.network_level, self.images, self.assessed_at, self.doubt)
        if self.action is not Action.READ and any((self.verdict, self.note, *seen)):
            raise ReadingInvalid("a verdict, a note and what was seen go only with marking a study read")
        if self.action is Action.UNREAD and not (self.reason or "").strip():
            raise ReadingInvalid("marking a study unread needs a reason")
        for text in (self.note, self.reason):
            if text and (len(text) > TEXT_MAX or any("\ud800" <= character <= "\udfff" for character in text)):
                raise ReadingInvalid(f"a note or a reason has at most {TEXT_MAX} characters of valid text")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedReading:
    """That a reader finished a study, and what the network said of it then.

    ``taken_back_at``, ``_by``, ``_why``: marked unread again, by whom, with which reason; then it is no finding. A late image
    that brings the study back takes nothing back: the reading was right about the images that there were.
    """

    study_instance_uid: str
    reader: str
    read_at: datetime
    verdict: Verdict | None
    note: str | None
    network_level: Level
    probability: float | None
    model: str | None
    taken_back_at: datetime | None = None
    taken_back_by: str | None = None
    taken_back_why: str | None = None


def as_of(reading: Reading, now: datetime) -> Reading:
    """The reading as it counts now: a claim whose lease is over is no claim. One without a lease does not run out."""
    lapsed = reading.state is ReadingState.CLAIMED and reading.lease_until is not None and reading.lease_until <= now
    return Reading() if lapsed else reading


def standing(reading: Reading, actor: str, now: datetime) -> Standing:
    """Where the reading stands for ``actor``."""
    reading = as_of(reading, now)
    if reading.state is ReadingState.READ:
        return Standing.READ
    if reading.state is ReadingState.UNREAD:
        return Standing.FREE
    return Standing.MINE if reading.reader == actor else Standing.OTHERS


def taken(study: Study, step: Step, now: datetime, lease: timedelta, policy: HeadStarts) -> Study:
    """The study after the step. Only STAT and un-STAT move it on the list.

    Raises:
        ReadingRefused: :data:`STEPS` does not allow it, or the verdict is about images or a result that stand no longer.
    """
    following = STEPS[step.action][standing(study.reading, step.actor, now)]
    if isinstance(following, Refusal):
        raise _refused(following, as_of(study.reading, now))
    if changed := _changed_since_seen(study, step):
        raise changed
    if isinstance(following, Stays):
        return with_person_stat(study, step.action is Action.STAT, policy)
    return replace(study, reading=_reading(study.reading, following, step, now, lease))


def finished(study: Study, note: str | None) -> FinishedReading:
    """The line in the history for a study that was just read."""
    reading = study.reading
    assert reading.reader is not None
    assert reading.since is not None
    return FinishedReading(
        study_instance_uid=study.study_instance_uid,
        reader=reading.reader,
        read_at=reading.since,
        verdict=Verdict(reading.verdict) if reading.verdict else None,
        note=note,
        network_level=study.network_level,
        probability=study.probability,
        model=study.model,
    )


def _reading(before: Reading, following: ReadingState, step: Step, now: datetime, lease: timedelta) -> Reading:
    if following is ReadingState.UNREAD:
        return Reading()
    if following is ReadingState.READ:
        verdict = step.verdict.value if step.verdict else None
        return Reading(state=following, reader=step.actor, since=now, verdict=verdict, verdict_at=now if step.verdict else None)
    before = as_of(before, now)
    since = before.since if before.reader == step.actor else now
    until = max(now + lease, before.lease_until or now) if before.reader == step.actor else now + lease
    return Reading(state=following, reader=step.actor, since=since, lease_until=until)


def _changed_since_seen(study: Study, step: Step) -> ReadingRefused | None:
    if step.images not in (None, study.images):
        more = study.images - (step.images or 0)
        one = more == 1
        words = {"more": f"{more:+d} {'image' if one else 'images'}", "them": "it" if one else "them"}
        return _refused(Refusal.IMAGES_CHANGED, Reading(), **words)
    mark = study.doubt.code if study.doubt else ""
    if mark and step.doubt not in (None, mark):
        return _refused(Refusal.DOUBT_CHANGED, Reading(), mark=mark.replace("_", " "))
    if step.network_level not in (None, study.network_level) or step.assessed_at not in (None, study.assessed_at):
        return _refused(Refusal.NETWORK_CHANGED, Reading())
    return None


def _refused(refusal: Refusal, reading: Reading, **words: str) -> ReadingRefused:
    since = reading.since.isoformat(timespec="minutes") if reading.since else "an unknown time"
    sentence = refusal.value.format(holder=reading.reader or "somebody", since=since, **words)
    return ReadingRefused(sentence, refusal.name.lower(), reading.reader, reading.since, reading.verdict)
