"""Settings of backups."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, field_validator

from triage.config.sections import Duration, Section


class BackupSettings(Section):
    """What the scheduler backs up, and where. Without a directory nothing is: ``triage backup DIR`` does it by hand."""

    directory: Path | None = Field(default=None, description="where backups are made; another disk than the home's")
    every: Duration = Field(default=timedelta(days=1), description="how often")
    keep: int = Field(default=7, ge=1, description="how many backups stay")

    @field_validator("directory", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or None
