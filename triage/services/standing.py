"""Where a study stands once something that made it doubtful was decided on or mended."""

from datetime import datetime

from triage.domain.assessment import Outcome
from triage.domain.doubt import Doubt, graver
from triage.domain.errors import TriageError
from triage.domain.identity import Likeness, gathered
from triage.domain.instance import Facts, QuarantinedObject
from triage.domain.jobs import JobState
from triage.domain.level import HeadStarts, Level
from triage.domain.study import Study, with_doubt_settled
from triage.services.ports import Archive, Transaction
from triage.services.results import place

OTHER_PATIENT = "the study belongs to another patient"
"""The cause of an identity conflict, as the rows have it."""


def touched(transaction: Transaction, one: QuarantinedObject) -> set[str]:
    """The studies that an object set aside makes doubtful: that which its header names, that whose film has its UID."""
    known = transaction.instance(one.sop_instance_uid) if one.sop_instance_uid else None
    return {uid for uid in (one.study_instance_uid, known.study_instance_uid if known else None) if uid}


def place_anew(
    transaction: Transaction, archive: Archive, study_instance_uid: str, head_starts: HeadStarts, now: datetime
) -> None:
    """Give a study the mark that still stands, if any, and its place: by what the network said of exactly its films, or pending
    with a job. What did not change is not written."""
    study = transaction.study(study_instance_uid)
    if study is None:
        return
    after = with_doubt_settled(
        study, doubt_left(transaction, archive, study), outcome_of_present(transaction, study_instance_uid), head_starts
    )
    if after != study:
        place(transaction, after, now)
    working = transaction.jobs.state_of(study_instance_uid) in (JobState.WAITING, JobState.RUNNING)
    if after.network_level is Level.PENDING and not working:
        transaction.jobs.enqueue(study_instance_uid, now)


def doubt_left(transaction: Transaction, archive: Archive, study: Study) -> Doubt | None:
    """The gravest mark for which there is a reason in the rows or the films now."""
    left = graver(_of_set_aside(transaction, study), _of_names(transaction, archive, study))
    return graver(left, Doubt.FILM_DAMAGED) if transaction.faulty(study.study_instance_uid) else left


def outcome_of_present(transaction: Transaction, study_instance_uid: str) -> Outcome | None:
    """The last outcome that considered exactly the films that the study has now."""
    present = {one.digest for one in transaction.instances(study_instance_uid)}
    return next((one for one in reversed(transaction.outcomes(study_instance_uid)) if one.considered == present), None)


def facts_of_present(transaction: Transaction, archive: Archive, study: Study) -> tuple[Facts, Likeness]:
    """What the study is known by after its present films, and whether they are surely one patient's; a film that cannot be read
    proves nothing."""
    from triage.imaging.header import read_header  # by then there are films to read; the scheduler starts without

    films, unread = [], False
    for one in transaction.instances(study.study_instance_uid):
        try:
            with archive.open(one.digest) as stream:
                films.append(read_header(stream).facts)
        except (TriageError, OSError):
            unread = True
    facts, likeness = gathered(films)
    if unread:
        return study.facts, Likeness.UNSURE
    return facts, likeness


def _of_set_aside(transaction: Transaction, study: Study) -> Doubt | None:
    """A conflict that stands is not weighed anew while anything of it is undecided."""
    images = {one.sop_instance_uid for one in transaction.instances(study.study_instance_uid)}
    undecided = [
        one
        for one in transaction.quarantined()
        if one.marks and (one.study_instance_uid == study.study_instance_uid or one.sop_instance_uid in images)
    ]
    if not undecided:
        return None
    if study.doubt is Doubt.IDENTITY_CONFLICT or any(one.cause == OTHER_PATIENT for one in undecided):
        return Doubt.IDENTITY_CONFLICT
    return Doubt.FILM_SET_ASIDE


def _of_names(transaction: Transaction, archive: Archive, study: Study) -> Doubt | None:
    same = study.images < 2 or facts_of_present(transaction, archive, study)[1] is Likeness.SAME
    return None if same else Doubt.NAMES_DIFFER
