"""What certificates and revocation lists say: PEM in, facts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from triage.domain.errors import ConfigError

BEGIN_LIST, END_LIST = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """One certificate. Times are aware, UTC; ``fingerprint``: SHA-256 of its DER, 64 lower-case hexadecimal digits."""

    common_name: str
    subject: str
    serial: int
    fingerprint: str
    not_before: datetime
    not_after: datetime
    is_authority: bool

    def when(self, now: datetime) -> str:
        """``valid``, ``expired`` or ``not yet valid``."""
        if now < self.not_before:
            return "not yet valid"
        return "expired" if now > self.not_after else "valid"


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revoked certificate's serial number, and since when."""

    serial: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationFacts:
    """One revocation list. ``next_update``: until when it holds; ``None``: it does not say."""

    issuer: str
    number: int
    last_update: datetime
    next_update: datetime | None
    revoked: tuple[Revoked, ...]


def certificates(pem: bytes) -> tuple[CertificateFacts, ...]:
    """Every certificate of a PEM file, in its order.

    Raises:
        ConfigError: none can be read.
    """
    try:
        return tuple(_facts(one) for one in x509.load_pem_x509_certificates(pem))
    except ValueError:
        remedy = "from DER: openssl x509 -inform DER -in FILE -out FILE.pem"
        raise ConfigError(f"no certificate that can be read (PEM; {remedy})") from None


def revocation_lists(pem: bytes) -> tuple[RevocationFacts, ...]:
    """Every revocation list of a PEM file, in its order.

    Raises:
        ConfigError: none can be read. OpenSSL reads lists from PEM only, and authorities like to publish DER.
    """
    blocks = [BEGIN_LIST + block.partition(END_LIST)[0] + END_LIST for block in pem.split(BEGIN_LIST)[1:]]
    try:
        found = tuple(_list_facts(x509.load_pem_x509_crl(block)) for block in blocks)
    except ValueError:
        found = ()
    if not found:
        remedy = "from DER: openssl crl -inform DER -in FILE -out FILE.pem"
        raise ConfigError(f"no revocation list that can be read (PEM; {remedy})")
    return found


def stale(lists: Sequence[RevocationFacts], now: datetime) -> datetime | None:
    """When the first of these lists ran out; ``None``: all hold."""
    ends = [one.next_update for one in lists if one.next_update is not None]
    return min(ends) if ends and min(ends) < now else None


def _facts(found: x509.Certificate) -> CertificateFacts:
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        is_authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    return CertificateFacts(
        common_name=str(names[0].value) if len(names) == 1 else "",
        subject=found.subject.rfc4514_string(),
        serial=found.serial_number,
        fingerprint=found.fingerprint(SHA256()).hex(),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        is_authority=is_authority,
    )


def _list_facts(found: x509.CertificateRevocationList) -> RevocationFacts:
    try:
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        number = 0
    return RevocationFacts(
        issuer=found.issuer.rfc4514_string(),
        number=number,
        last_update=found.last_update_utc,
        next_update=found.next_update_utc,
        revoked=tuple(Revoked(one.serial_number, one.revocation_date_utc) for one in found),
    )
