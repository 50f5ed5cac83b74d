"""What the network said of a study, or why it said nothing."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from triage.domain.level import Level
from triage.domain.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Which network speaks: ``name@version`` and its bundle id (SHA-256 of the manifest), and its operating point."""

    name: str
    version: str
    bundle_id: str
    spec_id: str
    threshold: float

    @property
    def label(self) -> str:
        """``name@version+digest8``, as the worklist shows it."""
        return f"{self.name}@{self.version}+{self.bundle_id[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceScore:
    """The calibrated probability of *abnormal* for one film.

    Raises:
        ValueError: not a number within 0..1.
    """

    sop_instance_uid: str
    digest: str
    probability: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.probability) and 0.0 <= self.probability <= 1.0):
            raise ValueError("a probability lies within 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceExcuse:
    """Why one image was not scored. ``out_of_scope``: tags and image agree that it is no chest radiograph. ``detail``: what
    each of them says, where both were asked; no value of the header."""

    sop_instance_uid: str
    digest: str
    reason: Reason
    out_of_scope: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A score with its pedigree: the model, the exact films scored, the images excused, the time."""

    study_instance_uid: str
    model: Model
    scores: tuple[InstanceScore, ...]
    excuses: tuple[InstanceExcuse, ...] = ()
    assessed_at: datetime

    def __post_init__(self) -> None:
        if not self.scores:
            raise ValueError("an assessment has at least one score")

    @property
    def probability(self) -> float:
        """The study's probability: that of its most suspicious film."""
        return max(score.probability for score in self.scores)

    @property
    def flagged(self) -> bool:
        """Whether the study is at or above the operating point."""
        return self.probability >= self.model.threshold

    @property
    def level(self) -> Level:
        """The network's word: flagged or not."""
        return Level.FLAGGED if self.flagged else Level.NOT_FLAGGED

    @property
    def covers(self) -> frozenset[str]:
        """Digests of the films that were scored."""
        return frozenset(score.digest for score in self.scores)

    @property
    def considered(self) -> frozenset[str]:
        """Digests of every image this outcome took into account, scored or excused."""
        return self.covers | {excuse.digest for excuse in self.excuses}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAssessed:
    """No score, and why. ``considered`` as in :class:`Assessment`."""

    study_instance_uid: str
    reason: Reason
    considered: frozenset[str]
    decided_at: datetime
    out_of_scope: bool = False
    model: Model | None = None
    excuses: tuple[InstanceExcuse, ...] = ()

    @property
    def level(self) -> Level:
        """Why there is no score: nothing for the network, or nothing that it could use."""
        return Level.OUT_OF_SCOPE if self.out_of_scope else Level.NOT_ASSESSED


Outcome = Assessment | NotAssessed


def image_set(digests: Iterable[str]) -> str:
    """SHA-256 over the sorted digests, one a line: names a set of images."""
    return sha256("\n".join(sorted(digests)).encode()).hexdigest()


def combine(
    study_instance_uid: str,
    model: Model,
    scores: Iterable[InstanceScore],
    excuses: Iterable[InstanceExcuse],
    now: datetime,
) -> Outcome:
    """The study's outcome from its images'.

    One film at or above the operating point flags the study. Below it, an image that blocks (a frontal film nobody
    could decode, a child) leaves the study *not assessed*: the network did not see all it should have seen. Out of
    scope only when every image is. Of several reasons the first of the table counts, whatever order the images came in.
    """
    scores, excuses = tuple(scores), tuple(excuses)
    assessment = (
        Assessment(study_instance_uid=study_instance_uid, model=model, scores=scores, excuses=excuses, assessed_at=now)
        if scores
        else None
    )
    blocking = _telling(excuse for excuse in excuses if excuse.reason.blocks and not excuse.out_of_scope)
    if assessment is not None and (assessment.flagged or blocking is None):
        return assessment
    in_scope = [excuse for excuse in excuses if not excuse.out_of_scope]
    telling = blocking or _telling(in_scope or excuses)
    return NotAssessed(
        study_instance_uid=study_instance_uid,
        reason=telling.reason if telling else Reason.NO_IMAGE,
        considered=frozenset(score.digest for score in scores) | {excuse.digest for excuse in excuses},
        decided_at=now,
        out_of_scope=bool(excuses) and not in_scope and not scores,
        model=model,
        excuses=excuses,
    )


def _telling(excuses: Iterable[InstanceExcuse]) -> InstanceExcuse | None:
    order = list(Reason)
    return min(excuses, key=lambda excuse: order.index(excuse.reason), default=None)
