"""A record of the audit as a line: tolerant, as what was tampered with has to be shown, too."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from triage.domain.audit import AuditRecord
from triage.web.text import full_time, plain

DETAIL_MAX = 2000


def audit_row(record: AuditRecord) -> dict[str, Any]:
    """Every value as short visible text; ``details``: pairs of name and text."""
    at = _moment(record.at)
    return {
        "sequence": record.sequence,
        "at": full_time(at) if at else plain(repr(record.at)),
        "at_iso": at.isoformat() if at else None,
        "actor": plain(str(record.actor)),
        "action": plain(str(record.action)),
        "subject": plain(str(record.subject), 80),
        "details": _details(record.details),
        "digest": plain(str(record.digest), 80),
    }


def _moment(at: Any) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    except (TypeError, ValueError, OverflowError):
        return None


def _details(text: Any) -> list[tuple[str, str]]:
    try:
        found = json.loads(text)
        return [(plain(str(name)), plain(str(value), DETAIL_MAX)) for name, value in found.items()]
    except (TypeError, ValueError, AttributeError, RecursionError):
        return [("cannot be read", plain(str(text), DETAIL_MAX))]
