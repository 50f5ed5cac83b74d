"""What the network said of each image of a study."""

from collections.abc import Iterable
from dataclasses import dataclass

from triage.domain.assessment import Assessment, InstanceExcuse, Outcome
from triage.domain.instance import Instance
from triage.domain.reason import Reason
from triage.domain.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """An image and what the standing outcome says of it: a probability, a reason, or neither.

    ``considered``: the outcome took it into account. With neither of the two, then, it was scored in a study that is not
    assessed, where no score counts; without it, it was not looked at yet. ``detail``: what tags and image said, where both
    were asked.
    """

    instance: Instance
    probability: float | None = None
    reason: Reason | None = None
    considered: bool = False
    detail: str = ""

    @property
    def why_not(self) -> str:
        """The reason as it is said of one image; empty: none. That a study has no frontal view cannot be said of an image."""
        if self.reason is Reason.LATERAL_VIEW:
            return "a lateral or oblique view"
        return self.reason.sentence if self.reason else ""

    @property
    def covered(self) -> bool:
        """Whether the standing assessment scored this image."""
        return self.probability is not None


def coverage(study: Study, instances: Iterable[Instance], outcomes: Iterable[Outcome]) -> list[Coverage]:
    """Each image, in the order given. The standing outcome is the one that the study's level rests on."""
    standing = standing_outcome(study, outcomes)
    counts = isinstance(standing, Assessment) and study.probability is not None
    scores = {one.digest: one.probability for one in standing.scores} if isinstance(standing, Assessment) and counts else {}
    excuses = {one.digest: one for one in standing.excuses} if standing else {}
    considered = standing.considered if standing else frozenset()
    return [_of(one, scores.get(one.digest), excuses.get(one.digest), one.digest in considered) for one in instances]


def _of(instance: Instance, probability: float | None, excuse: InstanceExcuse | None, considered: bool) -> Coverage:
    if excuse is None:
        return Coverage(instance=instance, probability=probability, considered=considered)
    return Coverage(
        instance=instance, probability=probability, reason=excuse.reason, detail=excuse.detail, considered=considered
    )


def standing_outcome(study: Study, outcomes: Iterable[Outcome]) -> Outcome | None:
    """The outcome that the study's level rests on: the last one of its model and time; ``None`` while there is none."""
    return next((one for one in reversed(list(outcomes)) if _rests_on(study, one)), None)


def _rests_on(study: Study, outcome: Outcome) -> bool:
    if study.doubt is not None and study.reason is not None and study.reason is study.doubt.reason:
        # the reason is not the network's: what it said last stands in the history, and does not count
        return study.assessed_at == (outcome.assessed_at if isinstance(outcome, Assessment) else outcome.decided_at)
    if isinstance(outcome, Assessment):
        return (study.probability, study.assessed_at) == (outcome.probability, outcome.assessed_at)
    return (study.reason, study.assessed_at) == (outcome.reason, outcome.decided_at)
