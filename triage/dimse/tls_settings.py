"""How DICOM TLS is set: ``dimse.tls.*``."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from triage.dimse.bindings import Bindings
from triage.dimse.tls_files import TlsFiles

TlsPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""Relative to the home; empty: none."""


def _table(value: Any) -> Any:
    """A table of name → titles, or ``NAME=AET`` with commas between them, as a variable gives it; a name may come twice."""
    if isinstance(value, str):
        pairs = [
            (name.strip(), title.strip()) for name, _, title in (item.rpartition("=") for item in value.split(",")) if title
        ]
        return {name: [title for other, title in pairs if other == name] for name, _ in pairs}
    if isinstance(value, dict):
        return {name: [titles] if isinstance(titles, str) else titles for name, titles in value.items()}
    return value


class TlsSettings(BaseModel):
    """DICOM TLS (PS3.15 B.12); off while no certificate is named."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    certificate: TlsPath = Field(default=None, description="our certificate, PEM, with what is between it and the authority")
    key: TlsPath = Field(default=None, description="its private key, PEM, for the service's eyes only")
    ca: TlsPath = Field(default=None, description="the authorities whose certificates are believed, PEM")
    crl: TlsPath = Field(default=None, description="their revocation lists, PEM; empty: nothing counts as revoked")
    bindings: Annotated[dict[str, list[str]], BeforeValidator(_table)] = Field(
        default={}, description="common name or SHA-256 fingerprint = AE titles; else the common name is the AE title"
    )

    @model_validator(mode="after")
    def _whole(self) -> "TlsSettings":
        Bindings.of(self.bindings)
        given = [self.certificate, self.key, self.ca]
        if any(given) != all(given) or (self.crl and not any(given)):
            raise ValueError("give certificate, key and ca; triage tls init makes all three")
        return self

    def files(self, home: Path) -> TlsFiles | None:
        """Where the files lie; ``None``: TLS is off."""
        if self.certificate is None or self.key is None or self.ca is None:
            return None
        return TlsFiles(
            certificate=home / self.certificate,
            key=home / self.key,
            ca=home / self.ca,
            crl=home / self.crl if self.crl else None,
        )
