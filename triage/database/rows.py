"""Rows of the table of studies as values."""

from typing import Any

from sqlalchemy import Row

from triage.domain.doubt import Doubt
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.study import Reading, ReadingState, Study

FACTS = tuple(Facts.__dataclass_fields__)


def study_of(row: Row[Any]) -> Study:
    """A study as it was put."""
    told = row._mapping
    return Study(
        study_instance_uid=row.study_instance_uid,
        facts=Facts(**{name: told[name] for name in FACTS}),
        arrived_at=row.arrived_at,
        images=row.images,
        network_level=Level(row.network_level),
        key=row.key,
        head_start=row.head_start,
        stat=bool(row.stat),
        ordered=bool(row.ordered),
        told=None if row.told is None else bool(row.told),
        reason=Reason.from_code(row.reason) if row.reason else None,
        probability=row.probability,
        model=row.model,
        images_covered=row.images_covered,
        assessed_at=row.assessed_at,
        doubt=Doubt.from_code(row.doubt) if row.doubt else None,
        reading=Reading(
            state=ReadingState(row.reading_state),
            reader=row.reader,
            since=row.reading_since,
            lease_until=row.lease_until,
            verdict=row.verdict,
            verdict_at=row.verdict_at,
        ),
    )
