"""The one way in which a study is written whose network word may have changed: with the result that goes out of it."""

from datetime import datetime

from triage.domain.result import has_word, result_of
from triage.domain.study import Study
from triage.services.ports import Transaction


def place(transaction: Transaction, study: Study, now: datetime) -> None:
    """Write the study and, where the network's word on it is another than was said last, a result, all in one transaction.

    Whatever the word rests on (outcomes, instances taken out) has to be written before.
    """
    transaction.put_study(study)
    note_result(transaction, study, now)


def note_result(transaction: Transaction, study: Study, now: datetime) -> bool:
    """Write what the study's row says as its next result; ``False``: it says nothing that goes out, or nothing new."""
    if not has_word(study):
        return False
    uid, deliveries = study.study_instance_uid, transaction.deliveries
    last = deliveries.last_result(uid)
    number = last.number + 1 if last else 1
    result = result_of(study, transaction.instances(uid), transaction.outcomes(uid), number, now)
    if result.says_what(last):
        return False
    deliveries.add_result(result)
    return True
