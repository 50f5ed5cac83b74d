"""Let the network look at a study: every image is scored or excused, then the study's outcome follows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from triage.domain.assessment import InstanceExcuse, InstanceScore, Outcome, combine
from triage.domain.errors import AssessmentError, PixelError
from triage.domain.instance import Instance
from triage.domain.opinion import Refusal, judge
from triage.domain.reason import Reason
from triage.imaging.eligibility import Intended
from triage.imaging.prepare import Prepared
from triage.services.ports import Archive, Classifier, Clock, Films


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many seconds decoding may take: one film; a whole study, and a little more for each of its images."""

    film: float = 10.0
    study: float = 30.0
    image: float = 1.0

    def of(self, images: int) -> float:
        """Seconds for a study of so many images."""
        return self.study + self.image * images


BUDGET = Budget()


def assess(
    study_instance_uid: str,
    instances: list[Instance],
    *,
    archive: Archive,
    films: Films,
    classifier: Classifier,
    min_age_years: int,
    clock: Clock,
    budget: Budget = BUDGET,
    timer: Callable[[], float] = time.monotonic,
    took: Callable[[str, float], None] = lambda step, seconds: None,
) -> Outcome:
    """The outcome for exactly these images.

    When the study's budget of time is used up, what is left of it is *timed out* at once. What nobody foresaw is raised as
    it is: the job is tried again, then quarantined. ``took`` hears how long each step (*open*, *network*) took.
    """
    scores: list[InstanceScore] = []
    excuses: list[InstanceExcuse] = []
    over = timer() + budget.of(len(instances))
    for instance in instances:
        try:
            within = min(budget.film, over - timer())
            begun = timer()
            prepared = prepare(instance, archive, films, classifier, min_age_years, within)
            opened = timer()
            took("open", opened - begun)
            said = score(prepared, classifier)
            took("network", timer() - opened)
        except AssessmentError as error:
            said = Refusal(reason=error.reason)
        _note(instance, said, scores, excuses)
    return combine(study_instance_uid, classifier.model, scores, excuses, clock())


def prepare(
    instance: Instance, archive: Archive, films: Films, classifier: Classifier, min_age_years: int, within_seconds: float
) -> Prepared:
    """One film as the network needs it.

    Raises:
        PixelError: no time is left, or the object is not in the archive.
    """
    if within_seconds <= 0:
        raise PixelError(Reason.TIMED_OUT, "the study has used up its time")
    try:
        stream = archive.open(instance.digest)
    except FileNotFoundError as error:
        raise PixelError(Reason.CANNOT_DECODE, "the object is not in the archive") from error
    with stream:
        intended = Intended(min_age_years, instance.received_at.date())
        return films.prepare(stream, classifier.spec, intended, within_seconds)


def score(prepared: Prepared, classifier: Classifier) -> float | Refusal:
    """The calibrated probability for one film, or why the network is not asked: by tags and image together.

    Raises:
        PixelError, InferenceError: with the reason that the list shows.
    """
    if prepared.tensor is None:
        if prepared.by_tags is not None:
            return Refusal(reason=prepared.by_tags)
        raise PixelError(prepared.by_pixels or Reason.CANNOT_DECODE)
    refusal = judge(prepared.by_tags, classifier.opinion(prepared.tensor))
    return classifier.probability(prepared.tensor) if refusal is None else refusal


def _note(instance: Instance, said: float | Refusal, scores: list[InstanceScore], excuses: list[InstanceExcuse]) -> None:
    uid, digest = instance.sop_instance_uid, instance.digest
    if isinstance(said, Refusal):
        excuses.append(
            InstanceExcuse(
                sop_instance_uid=uid, digest=digest, reason=said.reason, out_of_scope=said.out_of_scope, detail=said.detail
            )
        )
    else:
        scores.append(InstanceScore(sop_instance_uid=uid, digest=digest, probability=said))
