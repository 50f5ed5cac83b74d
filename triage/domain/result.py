"""What leaves the house of a study: the network's word on it as it stood, with what it rests on. A later one supersedes it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from triage.domain.assessment import Model, Outcome
from triage.domain.coverage import Coverage, coverage, standing_outcome
from triage.domain.identifiers import derived_uid
from triage.domain.instance import Facts, Instance
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultImage:
    """One image that the result rests on: scored (``probability``), or excused (``reason``), or neither: not looked at."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    digest: str
    probability: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The network's word on a study. Never *pending*, never a person's STAT.

    ``number``: 1 for the study's first, one more for each that supersedes it. ``probability`` is a number exactly where
    ``level`` is flagged or not flagged, ``reason`` exactly where it is not assessed or out of scope. ``model``: none where no
    network was asked. ``facts``: the study as the list had it then. ``decided_at``: aware, UTC.
    """

    study_instance_uid: str
    number: int
    level: Level
    decided_at: datetime
    facts: Facts
    images: tuple[ResultImage, ...]
    probability: float | None = None
    reason: Reason | None = None
    model: Model | None = None

    def says_what(self, other: "Result | None") -> bool:
        """Whether it says no more and nothing else than ``other``: then it need not be said again."""
        return other is not None and self._word == other._word

    @property
    def _word(self) -> tuple[object, ...]:
        return self.level, self.reason, self.probability, self.model, frozenset(self.images)

    def uid(self, purpose: str) -> str:
        """A UID for something made of this result, always the same: what is made again is the same object (PS3.5 B.2)."""
        return derived_uid(purpose, self.study_instance_uid, str(self.number), self.decided_at.isoformat(), self._said)

    @property
    def commitment_uid(self) -> str:
        """Transaction UID under which a peer is asked whether it keeps what was made of this result (PS3.4 J.3.2)."""
        return self.uid("commitment")

    @property
    def _said(self) -> str:
        bundle = self.model.bundle_id if self.model else ""
        images = ",".join(sorted(image.digest for image in self.images))
        return f"{self.level.value} {self.reason.code if self.reason else ''} {self.probability} {bundle} {images}"


def has_word(study: Study) -> bool:
    """Whether the network's word on a study is one that goes out: pending, and *no usable model*, pass by themselves."""
    return study.network_level is not Level.PENDING and study.reason is not Reason.NO_MODEL


def result_of(study: Study, instances: Iterable[Instance], outcomes: Iterable[Outcome], number: int, now: datetime) -> Result:
    """The word that stands on a study (:func:`has_word`), said ``now``: not what an outcome said that does not count.

    Its images are those that the standing outcome took into account, so that a late film of a flagged study says nothing new
    until the network has seen it and thinks worse of it. Where no outcome stands, they are all that the study has.
    """
    past = list(outcomes)
    standing = standing_outcome(study, past)
    images = (one for one in coverage(study, instances, past) if standing is None or one.considered)
    return Result(
        study_instance_uid=study.study_instance_uid,
        number=number,
        level=study.network_level,
        decided_at=now,
        facts=study.facts,
        images=tuple(_image(one) for one in images),
        probability=study.probability,
        reason=study.reason,
        model=standing.model if standing else None,
    )


def _image(one: Coverage) -> ResultImage:
    instance = one.instance
    return ResultImage(
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        series_instance_uid=instance.series_instance_uid,
        digest=instance.digest,
        probability=one.probability,
        reason=one.reason,
    )
