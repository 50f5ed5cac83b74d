"""The small authority of one home: ``HOME/tls/``. Every file is written whole or not at all, and read by its owner only.

``ca.pem ca.key`` the authority · ``crl.pem`` what it has revoked · ``server.pem server.key`` ours ·
``issued/SERIAL.pem`` every certificate it ever made · ``handover/AET/`` what goes to a modality.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import random_serial_number

from triage.domain.errors import ConfigError, TriageError
from triage.pki.facts import CertificateFacts, RevocationFacts, Revoked, certificates, revocation_lists
from triage.pki.issue import Issuer, PublicKey, Validity, authority, certificate, private_pem, revocation_list

AUTHORITY_DAYS = 3650
LEAF_DAYS = 825
LIST_DAYS = 30
"""So long a revocation list holds; the scheduler writes a new one when half of it is over."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and, where we made it, its private key; PEM."""

    certificate: bytes
    key: bytes | None

    @property
    def facts(self) -> CertificateFacts:
        """What the certificate says."""
        return certificates(self.certificate)[0]


@dataclass(frozen=True, slots=True)
class AuthorityFolder:
    """The files. Whoever changes them holds :meth:`locked`."""

    path: Path

    CA: ClassVar[str] = "ca.pem"
    CA_KEY: ClassVar[str] = "ca.key"
    CRL: ClassVar[str] = "crl.pem"
    SERVER: ClassVar[str] = "server.pem"
    SERVER_KEY: ClassVar[str] = "server.key"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the files meanwhile: two revocations at once must both end up in the list."""
        make_folder(self.path)
        descriptor = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def is_made(self) -> bool:
        """Whether any file of an authority is there already."""
        return any((self.path / name).exists() for name in (self.CA, self.CA_KEY, self.CRL, self.SERVER, self.SERVER_KEY))

    def begin(self, now: datetime) -> Pair:
        """A new authority, not written yet."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"Triage DICOM authority {token_hex(4)}"  # a name of its own: two of one name are taken for each other
        made = authority(name=name, key=key, serial=random_serial_number(), valid=Validity.of(now, AUTHORITY_DAYS))
        return Pair(made, private_pem(key))

    def found(self, made: Pair, server: Pair, now: datetime) -> None:
        """Write a new authority, its empty revocation list and our own certificate."""
        assert made.key is not None
        self._write(self.CA_KEY, made.key)
        self._write(self.CA, made.certificate)
        self._write(self.CRL, revocation_list(Issuer.load(made.certificate, made.key), (), number=1, now=now, days=LIST_DAYS))
        self.keep_server(server)

    def issuer(self) -> Issuer:
        """The authority.

        Raises:
            ConfigError: there is none, or its key is not here.
        """
        try:
            return Issuer.load(self._read(self.CA), self._read(self.CA_KEY))
        except FileNotFoundError as error:
            raise ConfigError(f"{error.filename}: no such file; make an authority: triage tls init") from None

    def pair(
        self,
        issuer: Issuer,
        common_name: str,
        now: datetime,
        *,
        days: float = LEAF_DAYS,
        hosts: Sequence[str] = (),
        public_key: PublicKey | None = None,
    ) -> Pair:
        """A certificate for an AE title, not written yet; with a new key unless ``public_key`` is given."""
        key = None if public_key is not None else ec.generate_private_key(ec.SECP256R1())
        made = certificate(
            issuer,
            common_name=common_name,
            public_key=public_key or key.public_key(),  # type: ignore[union-attr] # one of the two is there
            serial=random_serial_number(),
            valid=Validity.of(now, days, at_most=issuer.ends_at),
            hosts=hosts,
        )
        return Pair(made, private_pem(key) if key else None)

    def keep_server(self, pair: Pair) -> None:
        """Our own certificate; listeners take it up by themselves, once both files are there."""
        assert pair.key is not None
        self._note(pair)
        self._write(self.SERVER_KEY, pair.key)
        self._write(self.SERVER, pair.certificate)

    def check_free(self, folder: Path) -> None:
        """Whether a handover may be laid there.

        Raises:
            TriageError: the folder is there: it may hold a key that nobody has taken yet.
        """
        if folder.exists():
            raise TriageError(f"{folder} is there already; hand it over, then remove it, or name another with --out")

    def hand_over(self, pair: Pair, folder: Path) -> None:
        """Keep a note of a modality's certificate, and lay what it needs into a folder of its own.

        Raises:
            TriageError: see :meth:`check_free`.
        """
        self.check_free(folder)
        make_folder(folder.parent)
        folder.mkdir(mode=0o700)
        self._note(pair)
        if pair.key is not None:
            write_whole(folder / "key.pem", pair.key)
        write_whole(folder / "ca.pem", self._read(self.CA))
        write_whole(folder / "certificate.pem", pair.certificate)

    def issued(self) -> list[CertificateFacts]:
        """Every certificate it ever made, the oldest first."""
        files = sorted((self.path / "issued").glob("*.pem"))
        return sorted((certificates(file.read_bytes())[0] for file in files), key=lambda one: (one.not_before, one.serial))

    def revoked(self) -> RevocationFacts:
        """The revocation list.

        Raises:
            ConfigError: it is gone or damaged. A new, empty one would forget what was revoked.
        """
        try:
            return revocation_lists(self._read(self.CRL))[0]
        except (FileNotFoundError, ConfigError):
            if not self.is_made():
                raise ConfigError(f"{self.path} holds no authority; make one: triage tls init") from None
            what = f"{self.path / self.CRL}: no revocation list that can be read"
            raise ConfigError(f"{what}; bring it back from a backup: a new one would forget what was revoked") from None

    def revoke(self, issuer: Issuer, serials: Sequence[int], now: datetime) -> None:
        """Add certificates to the list; none: the same list with a later end."""
        before = self.revoked()
        listed = {one.serial for one in before.revoked}
        added = tuple(Revoked(serial, now) for serial in serials if serial not in listed)
        made = revocation_list(issuer, (*before.revoked, *added), number=before.number + 1, now=now, days=LIST_DAYS)
        self._write(self.CRL, made)

    def keep_current(self, now: datetime) -> bool:
        """Write the list anew when half of its time is over; whether it was. For the scheduler.

        Nothing where there is no authority, or where its key was taken elsewhere.

        Raises:
            ConfigError: its files are damaged.
        """
        if not all((self.path / name).is_file() for name in (self.CA, self.CA_KEY)):
            return False
        with self.locked():
            ends_at = self.revoked().next_update
            if ends_at is not None and (ends_at - now).total_seconds() > LIST_DAYS * 86400 / 2:
                return False
            self.revoke(self.issuer(), (), now)
            return True

    def handover(self, ae_title: str) -> Path:
        """The folder for a modality, unless another is named; an AE title may hold dots and slashes."""
        return self.path / "handover" / "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):02X}" for c in ae_title)

    def _note(self, pair: Pair) -> None:
        make_folder(self.path / "issued")
        write_whole(self.path / "issued" / f"{pair.facts.serial:x}.pem", pair.certificate)

    def _read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def _write(self, name: str, data: bytes) -> None:
        write_whole(self.path / name, data)


def make_folder(path: Path) -> None:
    """A folder for its owner only; one that is there stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file at once, mode 0600: who reads it sees the old bytes or the new ones, also after a power cut."""
    part = path.with_name(f".{path.name}.{token_hex(8)}")
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
