"""Make certificates and revocation lists (RFC 5280): values in, PEM out. Times, serial numbers and keys are arguments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from triage.domain.errors import ConfigError, TriageError
from triage.pki.facts import Revoked

CLOCK_SKEW = timedelta(hours=1)
"""So long before its making a certificate or list holds: the clocks of modalities are seldom right to the minute."""
LEAST_RSA_BITS = 2048
BOTH_ROLES = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
"""An application entity calls and is called: a modality stores, and receives the report of storage commitment."""

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when; aware, UTC, whole seconds."""

    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, now: datetime, days: float, *, at_most: datetime | None = None) -> "Validity":
        """``days`` from now, not beyond ``at_most``; valid already :data:`CLOCK_SKEW` before."""
        start = now.replace(microsecond=0)
        end = start + timedelta(days=days)
        return cls(start - CLOCK_SKEW, min(end, at_most) if at_most else end)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority: its certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> "Issuer":
        """From PEM.

        Raises:
            ConfigError: either cannot be read, or they do not belong together.
        """
        try:
            found, secret = x509.load_pem_x509_certificate(certificate), load_pem_private_key(key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ConfigError("the authority's certificate or key is no PEM that can be read") from None
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or secret.public_key() != found.public_key():
            raise ConfigError("the authority's key does not belong to its certificate")
        return cls(found, secret)

    @property
    def ends_at(self) -> datetime:
        """When it ends; nothing it issues may last longer."""
        return self.certificate.not_valid_after_utc


def authority(*, name: str, key: ec.EllipticCurvePrivateKey, serial: int, valid: Validity) -> bytes:
    """The certificate of an authority that signs leaves and their revocation list, and nothing below it."""
    subject = _named(name)
    builder = _builder(subject, subject, key.public_key(), serial, valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def certificate(
    issuer: Issuer,
    *,
    common_name: str,
    public_key: PublicKey,
    serial: int,
    valid: Validity,
    hosts: Sequence[str] = (),
    purposes: Sequence[x509.ObjectIdentifier] = BOTH_ROLES,
) -> bytes:
    """The certificate of an application entity. ``common_name``: its AE title; ``hosts``: names and IP addresses it has."""
    builder = _builder(_named(common_name), issuer.certificate.subject, public_key, serial, valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    builder = builder.add_extension(_issued_by(issuer), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.PEM)


def revocation_list(issuer: Issuer, revoked: Iterable[Revoked], *, number: int, now: datetime, days: float) -> bytes:
    """The list of what the authority has revoked; after ``days`` without a newer one every certificate is refused."""
    valid = Validity.of(now, days)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(valid.not_before).next_update(valid.not_after)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False).add_extension(_issued_by(issuer), critical=False)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at.replace(microsecond=0))
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.PEM)


def requested_key(request: bytes) -> PublicKey:
    """The public key of a certificate request (PKCS #10, PEM), whose owner has shown to hold the private one.

    Name and extensions that it asks for do not count: who may be which AE title is the operator's decision.

    Raises:
        TriageError: not such a request, or its key is too weak.
    """
    try:
        asked = x509.load_pem_x509_csr(request)
        held, key = asked.is_signature_valid, asked.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise TriageError("not a certificate request (PKCS #10, PEM) that can be read") from None
    if not held:
        raise TriageError("the certificate request is not signed by its own key")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
        return key
    raise TriageError(f"the request's key is too weak or of another kind: ECDSA P-256 or RSA from {LEAST_RSA_BITS} bits")


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM (PKCS #8, no passphrase: a service that starts alone has nobody to ask)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, serial: int, valid: Validity
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    builder = builder.serial_number(serial).not_valid_before(valid.not_before).not_valid_after(valid.not_after)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issued_by(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
