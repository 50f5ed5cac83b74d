"""Settings of retention."""

from datetime import timedelta

from pydantic import Field

from triage.config.sections import Duration, Section


class RetentionSettings(Section):
    """When studies go. Never: one that is unread, in doubt, or whose result has not arrived everywhere."""

    studies_after: Duration = Field(
        default=timedelta(0), ge=timedelta(0), description="so long after they were read and arrived studies go; 0: never"
    )
    at_most: int = Field(default=500, ge=1, description="studies that go in one run, every hour")
