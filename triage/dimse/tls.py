"""DICOM TLS (PS3.15 B.12: BCP 195 with RFC 8996 and RFC 9325): the server's side, and what a certificate proves.

Both sides show a certificate; TLS 1.2 or later; ECDHE with AEAD only (RFC 9325 4.2), which is also what B.13 permits.
"""

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock
from typing import Any, TypeVar

import structlog

from triage.dimse.bindings import NOBODY, Bindings
from triage.dimse.tls_files import Stamp, TlsFiles
from triage.dimse.tls_words import refusal
from triage.domain.errors import ConfigError
from triage.pki.facts import CertificateFacts, RevocationFacts, certificates, revocation_lists, stale
from triage.services.ports import Clock

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""Forward secrecy and AEAD; level 2: no RSA key below 2048 bits, no signature by SHA-1. TLS 1.3 has no others."""
REMEDY = "triage tls init makes the files"
SUBJECT_LENGTH = 200

T = TypeVar("T")


class TlsServer:
    """Contexts for accepting connections, made anew when a file changes; usable from several threads.

    Raises:
        ConfigError: a file is missing, damaged, open to others or expired, or the key belongs to another certificate.
    """

    def __init__(self, files: TlsFiles, bindings: Bindings, clock: Clock) -> None:
        self._files, self._bindings, self._clock = files, bindings, clock
        self._lock = Lock()
        self._broken: str | None = None
        self._stamp = files.stamp()
        self._context, self._own, self._lists = _load(files, clock())

    def context(self) -> ssl.SSLContext:
        """What the next connection is to be accepted with.

        Files that changed are read; those that cannot be used leave the former context in force (see :meth:`trouble`), and are
        read again at the next connection. A new context knows no session of the former: who was revoked cannot resume one.
        """
        with self._lock:
            stamp = self._files.stamp()  # before reading: a file that changes meanwhile is read once more
            if stamp != self._stamp:
                self._renew(stamp)
            return self._context

    def trouble(self) -> str | None:
        """What an administrator has to mend, in a sentence, or ``None``."""
        self.context()
        now = self._clock()
        if self._broken is not None:
            return f"DICOM TLS goes on with the former files: {self._broken}"
        if now > self._own.not_after:
            return f"our DICOM TLS certificate expired on {self._own.not_after:%Y-%m-%d}; run: triage tls renew"
        if (ended := stale(self._lists, now)) is not None:
            return f"the revocation list ran out on {ended:%Y-%m-%d}, every certificate is refused; run: triage tls renew"
        return None

    def words(self, error: Exception) -> str:
        """Why a handshake failed, in a line for the log."""
        return refusal(error)

    def titles(self, connection: ssl.SSLSocket) -> frozenset[str]:
        """The calling AE titles that the peer's certificate may use; none when it has expired.

        The dates are looked at although the handshake did: a resumed session (RFC 5246 7.3) shows no certificate again.
        """
        return titles_of(connection, self._bindings, self._clock())

    def subject(self, connection: ssl.SSLSocket) -> str:
        """Whom the peer's certificate names, and the beginning of its fingerprint: for log and audit."""
        return subject_of(connection)

    def _renew(self, stamp: Stamp) -> None:
        try:
            self._context, self._own, self._lists = _load(self._files, self._clock(), self._own)
        except ConfigError as error:
            if str(error) != self._broken:
                self._broken = str(error)
                structlog.get_logger().error("tls files not taken", cause=self._broken)
            return
        self._stamp, self._broken = stamp, None
        structlog.get_logger().info("tls files taken", certificate_until=self._own.not_after.isoformat())


def titles_of(connection: ssl.SSLSocket, bindings: Bindings, now: datetime) -> frozenset[str]:
    """The AE titles of the certificate that the other side of a connection showed."""
    found, der = connection.getpeercert(), connection.getpeercert(binary_form=True)
    if not found or not der or now > datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC):
        return NOBODY
    names = [value for kind, value in _subject(found) if kind == "commonName"]
    return bindings.titles(names[0] if len(names) == 1 else "", sha256(der).hexdigest())


def subject_of(connection: ssl.SSLSocket) -> str:
    """The subject of the certificate that the other side showed, fit for one line."""
    found, der = connection.getpeercert(), connection.getpeercert(binary_form=True)
    if not found or not der:
        return "no certificate"
    text = ", ".join(f"{kind}={value}" for kind, value in _subject(found))
    text = "".join(character if character.isprintable() else "�" for character in text)[:SUBJECT_LENGTH]
    return f"{text} (sha256 {sha256(der).hexdigest()[:16]})"


def apply_profile(context: ssl.SSLContext) -> None:
    """Version, ciphers and options of the profile, for either side."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    # Peers often close without close_notify. That truncates nothing here: an association has its own framing and its own end
    # (PS3.8 9.3); and we can still answer, instead of with an alert that names it an error in decoding.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # from OpenSSL 3.0 on
    # an issuing authority may be named without the root above it
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def load_identity(
    context: ssl.SSLContext, files: TlsFiles, now: datetime, former: CertificateFacts | None = None
) -> CertificateFacts:
    """Our certificate and key, and whom we believe, into a context; returns what our certificate says.

    ``former``: the certificate in use; that it has expired meanwhile must not keep a revocation from being taken.

    Raises:
        ConfigError: see :class:`TlsServer`.
    """
    files.check_key_is_private()
    own = _parsed(files, "certificate", certificates)[0]
    _parsed(files, "ca", certificates)
    if own != former and (when := own.when(now)) != "valid":
        raise ConfigError(
            f"dimse.tls.certificate: {files.certificate} is {when} ({own.not_before:%Y-%m-%d} to {own.not_after:%Y-%m-%d}); "
            "run: triage tls renew"
        )
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: _refuse_passphrase(files))
    except ssl.SSLError as error:
        raise ConfigError(
            f"dimse.tls.key: {files.key}: {_KEY_WORDS.get(error.reason, 'no private key that can be read')}"
        ) from None
    try:
        context.load_verify_locations(files.ca)
    except ssl.SSLError:
        raise ConfigError(f"dimse.tls.ca: {files.ca}: no certificate that can be read; {REMEDY}") from None
    return own


def load_lists(context: ssl.SSLContext, files: TlsFiles) -> tuple[RevocationFacts, ...]:
    """Revocation lists into a context, where there are some; returns what they say.

    Raises:
        ConfigError: they cannot be read, or are of other authorities.
    """
    if files.crl is None:
        return ()
    lists = _parsed(files, "crl", revocation_lists)
    known = {one.subject for one in _parsed(files, "ca", certificates)}
    if not known & {one.issuer for one in lists}:
        raise ConfigError(f"dimse.tls.crl: {files.crl} is of none of the authorities in dimse.tls.ca; fetch theirs")
    context.load_verify_locations(files.crl)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return lists


def _load(
    files: TlsFiles, now: datetime, former: CertificateFacts | None = None
) -> tuple[ssl.SSLContext, CertificateFacts, tuple[RevocationFacts, ...]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    apply_profile(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # TLS 1.3: no session outlives its connection
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        own = load_identity(context, files, now, former)
        return context, own, load_lists(context, files)
    except OSError as error:  # a file went away between two looks
        raise ConfigError(f"dimse.tls: {error.filename or 'a file'}: {error.strerror}; {REMEDY}") from None


def _parsed(files: TlsFiles, name: str, parse: Callable[[bytes], T]) -> T:
    data = files.read(name)
    try:
        return parse(data)
    except ConfigError as error:
        raise ConfigError(f"dimse.tls.{name}: {getattr(files, name)}: {error}") from None


def _refuse_passphrase(files: TlsFiles) -> str:
    raise ConfigError(
        f"dimse.tls.key: {files.key} has a passphrase, and nobody is there to give it; take it off: openssl pkey -in … -out …"
    )


def _subject(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [pair for relative in found.get("subject", ()) for pair in relative]


_KEY_WORDS = {
    "KEY_VALUES_MISMATCH": "does not belong to dimse.tls.certificate; name the key that it was made with",
    "KEY_TYPE_MISMATCH": "does not belong to dimse.tls.certificate; name the key that it was made with",
    "EE_KEY_TOO_SMALL": "is too weak, or the certificate's is; use ECDSA P-256 or RSA from 2048 bits",
    "CA_MD_TOO_WEAK": "the certificate is signed with a weak digest; have it issued anew with SHA-256",
}
