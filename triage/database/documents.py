"""Outcomes as JSON documents, and back: the history keeps the whole pedigree."""

import json
from datetime import datetime
from typing import Any

from triage.domain.assessment import Assessment, InstanceExcuse, InstanceScore, Model, NotAssessed, Outcome
from triage.domain.reason import Reason


def decided_at(outcome: Outcome) -> datetime:
    """When the outcome was reached."""
    return outcome.assessed_at if isinstance(outcome, Assessment) else outcome.decided_at


def dump_outcome(outcome: Outcome) -> str:
    """An outcome as JSON."""
    document: dict[str, Any] = {
        "study_instance_uid": outcome.study_instance_uid,
        "decided_at": decided_at(outcome).isoformat(),
        "model": _dump_model(outcome.model),
        "excuses": [
            {
                "sop_instance_uid": excuse.sop_instance_uid,
                "digest": excuse.digest,
                "reason": excuse.reason.code,
                "out_of_scope": excuse.out_of_scope,
                "detail": excuse.detail,
            }
            for excuse in outcome.excuses
        ],
    }
    if isinstance(outcome, Assessment):
        document["scores"] = [
            {"sop_instance_uid": score.sop_instance_uid, "digest": score.digest, "probability": score.probability}
            for score in outcome.scores
        ]
    else:
        document |= {
            "reason": outcome.reason.code,
            "out_of_scope": outcome.out_of_scope,
            "considered": sorted(outcome.considered),
        }
    return json.dumps(document, sort_keys=True)


def load_outcome(text: str) -> Outcome:
    """The outcome of a document that :func:`dump_outcome` wrote."""
    document = json.loads(text)
    uid, when = document["study_instance_uid"], datetime.fromisoformat(document["decided_at"])
    model = Model(**document["model"]) if document["model"] else None
    excuses = tuple(InstanceExcuse(**{**row, "reason": Reason.from_code(row["reason"])}) for row in document["excuses"])
    if "scores" in document:
        assert model is not None
        scores = tuple(InstanceScore(**row) for row in document["scores"])
        return Assessment(study_instance_uid=uid, model=model, scores=scores, excuses=excuses, assessed_at=when)
    return NotAssessed(
        study_instance_uid=uid,
        reason=Reason.from_code(document["reason"]),
        considered=frozenset(document["considered"]),
        decided_at=when,
        out_of_scope=document["out_of_scope"],
        model=model,
        excuses=excuses,
    )


def _dump_model(model: Model | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {
        "name": model.name,
        "version": model.version,
        "bundle_id": model.bundle_id,
        "spec_id": model.spec_id,
        "threshold": model.threshold,
    }
