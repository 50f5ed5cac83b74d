"""Settings of where films lie."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from triage.archive.opening import SCHEMES
from triage.config.sections import Duration, Section


class StorageSettings(Section):
    """The disk, or the object store."""

    archive: str = Field(default="", description="where films lie: empty: HOME/instances; file:///PATH; s3://BUCKET/PREFIX")
    endpoint: str = Field(default="", description="https:// address of the object store; empty: the one that its library knows")
    answers_within: Duration = Field(
        default=timedelta(seconds=20),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=5),
        description="an object store that takes longer for one answer does not answer: films are refused with 0xA700",
    )
    floor_bytes: int = Field(default=512 << 20, ge=0, description="room left free; below it films are refused with 0xA700")
    scrub_every: Duration = Field(
        default=timedelta(days=30),
        ge=timedelta(hours=1),
        le=timedelta(days=3650),
        description="within this time every film is read again and compared with its digest",
    )
    scrub_slice_bytes: int = Field(
        default=4 << 30, ge=1 << 20, description="most bytes that are read again at a time, every ten minutes"
    )

    @field_validator("archive")
    @classmethod
    def _known(cls, value: str) -> str:
        scheme, found, rest = value.partition("://")
        if not value or (scheme == "file" and rest.startswith("/") and len(rest) > 1):
            return value
        if not found or scheme not in SCHEMES or not rest.partition("/")[0]:
            raise ValueError(
                f"give file:///PATH or BUCKET and prefix of a store: s3://films/triage; stores: {', '.join(SCHEMES)}"
            )
        return _bare(value).rstrip("/")

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("give https:// and a name: https://s3.hospital.example")
        return _bare(value)

    @property
    def folder(self) -> Path | None:
        """The folder that films lie in, where the settings name one."""
        return Path(self.archive.removeprefix("file://")) if self.archive.startswith("file://") else None


def _bare(url: str) -> str:
    if any(sign in url for sign in "@?#"):
        raise ValueError("no keys here: they come by the environment (AWS_ACCESS_KEY_ID or AWS_SHARED_CREDENTIALS_FILE)")
    return url
