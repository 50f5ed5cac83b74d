"""Let the network look at a study: every image is scored or excused, then the study's outcome follows."""

from triage.domain.assessment import InstanceExcuse, InstanceScore, Outcome, combine
from triage.domain.errors import AssessmentError, NotEligible, PixelError
from triage.domain.instance import Instance
from triage.domain.reason import Reason
from triage.imaging.eligibility import examine
from triage.imaging.header import read_dataset
from triage.imaging.preprocess import preprocess
from triage.services.ports import Archive, Classifier, Clock


def assess(
    study_instance_uid: str,
    instances: list[Instance],
    *,
    archive: Archive,
    classifier: Classifier,
    min_age_years: int,
    clock: Clock,
) -> Outcome:
    """The outcome for exactly these images.

    What nobody foresaw is raised as it is: the job is tried again, then quarantined.
    """
    scores, excuses = [], []
    for instance in instances:
        try:
            probability = score(instance, archive, classifier, min_age_years)
            scores.append(
                InstanceScore(sop_instance_uid=instance.sop_instance_uid, digest=instance.digest, probability=probability)
            )
        except AssessmentError as error:
            excuses.append(
                InstanceExcuse(sop_instance_uid=instance.sop_instance_uid, digest=instance.digest, reason=error.reason)
            )
    return combine(study_instance_uid, classifier.model, scores, excuses, clock())


def score(instance: Instance, archive: Archive, classifier: Classifier, min_age_years: int) -> float:
    """The calibrated probability for one film.

    Raises:
        NotEligible, PixelError, InferenceError: with the reason that the list shows.
    """
    try:
        stream = archive.open(instance.digest)
    except FileNotFoundError as error:
        raise PixelError(Reason.CANNOT_DECODE, "the object is not in the archive") from error
    with stream:
        dataset = read_dataset(stream)
        reason = examine(dataset, min_age_years, instance.received_at.date())
        if reason is not None:
            raise NotEligible(reason)
        return classifier.probability(preprocess(dataset, classifier.spec))
