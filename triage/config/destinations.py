"""Where results go: one table ``[[destinations]]`` for each system."""

from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from triage.config.sections import Duration, Section
from triage.domain.destination import Destination


class Kind(StrEnum):
    """How a destination is spoken to."""

    DICOM = "dicom"
    DICOM_TLS = "dicom_tls"
    STOW = "stow"
    HL7 = "hl7"
    WEBHOOK = "webhook"


DIMSE = (Kind.DICOM, Kind.DICOM_TLS)
_ADDRESS = {
    Kind.DICOM: "to = AET@HOST:PORT",
    Kind.DICOM_TLS: "to = AET@HOST:PORT",
    Kind.STOW: "url = https://… up to the part before /studies",
    Kind.HL7: "to = HOST:PORT",
    Kind.WEBHOOK: "url = https://…",
}


class DestinationSettings(Section):
    """One system that hears of results."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="what it is called on pages and in commands; keep it")
    kind: Kind = Field(description="dicom, dicom_tls, stow, hl7 or webhook")
    to: str = Field(default="", description="dicom and dicom_tls: AET@HOST:PORT; hl7: HOST:PORT")
    url: str = Field(default="", description="stow: the service's root; webhook: where to POST")
    token: SecretStr = Field(default=SecretStr(""), description="stow and webhook: sent as Authorization: Bearer …")
    commitment: bool = Field(default=False, description="dicom and dicom_tls: ask by storage commitment whether it is kept")
    page: bool = Field(default=False, description="dicom, dicom_tls, stow: send a one-page Secondary Capture as well")
    presentation_state: bool = Field(default=False, description="dicom, dicom_tls, stow: send a presentation state as well")
    within: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=10),
        description="the most one try takes",
    )
    application: str = Field(default="", max_length=180, description="hl7: receiving application (MSH-5)")
    facility: str = Field(default="", max_length=180, description="hl7: receiving facility (MSH-6)")

    @model_validator(mode="after")
    def _addressed(self) -> "DestinationSettings":
        try:
            if self.kind in DIMSE:
                Destination.parse(self.to)
            elif self.kind is Kind.HL7:
                Destination.parse(f"HL7@{self.to}")
            elif urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
                raise ValueError
        except ValueError:
            raise ValueError(f"destination {self.name}: kind {self.kind.value} needs {_ADDRESS[self.kind]}") from None
        return self

    @property
    def entity(self) -> Destination:
        """AE title, host and port; of ``hl7`` only host and port mean anything."""
        return Destination.parse(self.to if self.kind in DIMSE else f"HL7@{self.to}")
