"""The one place that asks what time it is."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present time, aware, UTC."""
    return datetime.now(UTC)
