"""Results as JSON documents, and back."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from triage.domain.assessment import Model
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.result import Result, ResultImage


def dump_result(result: Result) -> str:
    """A result as JSON."""
    images = [
        {name: getattr(image, name) for name in ResultImage.__dataclass_fields__} | {"reason": _code(image.reason)}
        for image in result.images
    ]
    document = {
        "study_instance_uid": result.study_instance_uid,
        "number": result.number,
        "level": result.level.value,
        "decided_at": result.decided_at.isoformat(),
        "facts": asdict(result.facts),
        "images": images,
        "probability": result.probability,
        "reason": _code(result.reason),
        "model": asdict(result.model) if result.model else None,
    }
    return json.dumps(document, sort_keys=True)


def load_result(text: str) -> Result:
    """The result of a document that :func:`dump_result` wrote."""
    document = json.loads(text)
    images = tuple(ResultImage(**row | {"reason": _reason(row["reason"])}) for row in document["images"])
    read: dict[str, Any] = {
        "level": Level(document["level"]),
        "decided_at": datetime.fromisoformat(document["decided_at"]),
        "facts": Facts(**document["facts"]),
        "images": images,
        "reason": _reason(document["reason"]),
        "model": Model(**document["model"]) if document["model"] else None,
    }
    return Result(**document | read)


def _code(reason: Reason | None) -> str | None:
    return reason.code if reason else None


def _reason(code: str | None) -> Reason | None:
    return Reason.from_code(code) if code else None
