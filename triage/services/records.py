"""A study with everything known of it, as the API and ``triage study --json`` give it."""

from datetime import datetime
from typing import Any

from triage.domain.assessment import Assessment, InstanceExcuse, Outcome
from triage.domain.coverage import Coverage, coverage
from triage.domain.instance import QuarantinedObject
from triage.domain.reading import FinishedReading
from triage.domain.result import Result
from triage.domain.worklist import WorklistItem, as_json
from triage.services.deliveries import delivery_record
from triage.services.ports import Transaction


def study_record(tx: Transaction, study_instance_uid: str, now: datetime, *, numbers: bool = True) -> dict[str, Any] | None:
    """The worklist's row (``rank`` is ``null`` once read), the images, what was set aside, the outcomes, what went out.

    ``None``: unknown. ``numbers``: whether the one who asks may see probabilities.
    """
    study = tx.study(study_instance_uid)
    if study is None:
        return None
    rank, outcomes = tx.places([study]).get(study_instance_uid), tx.outcomes(study_instance_uid)
    return {
        **as_json(WorklistItem(rank=rank or 0, study=study), now, numbers=numbers),
        "instances": [_image(one, numbers) for one in coverage(study, tx.instances(study_instance_uid), outcomes)],
        "outcomes": [_outcome(outcome, numbers) for outcome in outcomes],
        "set_aside": [_set_aside(one) for one in tx.set_aside_of(study_instance_uid)],
        "results": [_result(result, numbers) for result in tx.deliveries.results(study_instance_uid)],
        "deliveries": [
            delivery_record(one) for one in reversed(tx.deliveries.deliveries(study_instance_uid=study_instance_uid))
        ],
        "readings": [_reading(reading, numbers) for reading in tx.readings(study_instance_uid)],
    }


def _result(result: Result, numbers: bool) -> dict[str, Any]:
    return {
        "number": result.number,
        "decided_at": result.decided_at.isoformat(),
        "level": result.level.value,
        "reason": result.reason.code if result.reason else None,
        "probability": result.probability if numbers else None,
        "model": result.model.label if result.model else None,
        "images": len(result.images),
    }


def _image(one: Coverage, numbers: bool) -> dict[str, Any]:
    instance = one.instance
    return {
        "sop_instance_uid": instance.sop_instance_uid,
        "sop_class_uid": instance.sop_class_uid,
        "series_instance_uid": instance.series_instance_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "digest": instance.digest,
        "size_bytes": instance.size_bytes,
        "calling_ae_title": instance.calling_ae_title,
        "received_at": instance.received_at.isoformat(),
        "covered": one.covered,
        "probability": one.probability if numbers else None,
        "reason": one.reason.code if one.reason else None,
    }


def _outcome(outcome: Outcome, numbers: bool) -> dict[str, Any]:
    scores = outcome.scores if isinstance(outcome, Assessment) else ()
    return {
        "outcome": outcome.level.value,
        "reason": None if isinstance(outcome, Assessment) else outcome.reason.code,
        "probability": outcome.probability if isinstance(outcome, Assessment) and numbers else None,
        "threshold": outcome.model.threshold if outcome.model else None,
        "model": outcome.model.label if outcome.model else None,
        "bundle_id": outcome.model.bundle_id if outcome.model else None,
        "spec_id": outcome.model.spec_id if outcome.model else None,
        "decided_at": (outcome.assessed_at if isinstance(outcome, Assessment) else outcome.decided_at).isoformat(),
        "considered": sorted(outcome.considered),
        "scores": [
            {
                "sop_instance_uid": score.sop_instance_uid,
                "digest": score.digest,
                "probability": score.probability if numbers else None,
            }
            for score in scores
        ],
        "excuses": [_excuse(excuse) for excuse in outcome.excuses],
    }


def _set_aside(one: QuarantinedObject) -> dict[str, Any]:
    return {
        "digest": one.digest,
        "cause": one.cause,
        "calling_ae_title": one.calling_ae_title,
        "received_at": one.received_at.isoformat(),
    }


def _reading(reading: FinishedReading, numbers: bool) -> dict[str, Any]:
    return {
        "reader": reading.reader,
        "read_at": reading.read_at.isoformat(),
        "verdict": reading.verdict.value if reading.verdict else None,
        "note": reading.note,
        "network_level": reading.network_level.value,
        "probability": reading.probability if numbers else None,
        "model": reading.model,
        "taken_back_at": reading.taken_back_at.isoformat() if reading.taken_back_at else None,
        "taken_back_by": reading.taken_back_by,
        "taken_back_why": reading.taken_back_why,
    }


def _excuse(excuse: InstanceExcuse) -> dict[str, Any]:
    return {
        "sop_instance_uid": excuse.sop_instance_uid,
        "digest": excuse.digest,
        "reason": excuse.reason.code,
        "out_of_scope": excuse.out_of_scope,
        "detail": excuse.detail,
    }
