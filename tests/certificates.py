"""A hospital's certificates for tests: an authority, whatever it or somebody else issues, as PEM files in a folder."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import random_serial_number

from triage.clock import utc_now
from triage.dimse.tls_files import TlsFiles
from triage.pki.facts import Revoked, certificates
from triage.pki.issue import Issuer, PublicKey, Validity, authority, certificate, private_pem, revocation_list

PATIENCE = 10.0


class Hospital:
    """An authority in a folder. ``issue`` writes ``NAME.pem`` and ``NAME.key``; ``revoke`` writes ``crl.pem`` anew."""

    def __init__(self, folder: Path, name: str = "Hospital") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, key, self._gone, self._number = folder, a_key(), [], 0
        valid = Validity.of(utc_now() - timedelta(days=400), 4000)
        made = authority(name=name, key=key, serial=random_serial_number(), valid=valid)
        self.issuer = Issuer.load(made, private_pem(key))
        self.ca, self.crl = self.write("ca.pem", made), folder / "crl.pem"
        self.revoke()

    def issue(
        self, name: str, common_name: str = "", *, days: float = 30, now: datetime | None = None, **given: Any
    ) -> tuple[Path, Path]:
        key = a_key()
        public: PublicKey = given.pop("public_key", None) or key.public_key()
        made = certificate(
            given.pop("issuer", self.issuer),
            common_name=common_name or name,
            public_key=public,
            serial=random_serial_number(),
            valid=Validity.of(now or utc_now(), days),
            **given,
        )
        key_path = self.write(f"{name}.key", private_pem(key))  # the key first: a certificate tells that both are there
        return self.write(f"{name}.pem", made), key_path

    def self_signed(self, name: str) -> tuple[Path, Path]:
        key = a_key()
        made = authority(name=name, key=key, serial=random_serial_number(), valid=Validity.of(utc_now(), 30))
        return self.write(f"{name}.pem", made), self.write(f"{name}.key", private_pem(key))

    def below(self, name: str) -> "Hospital":
        """An authority that this one has made: the hospital's for devices, under its root."""
        sub, key = Hospital(self.folder / name, name), a_key()
        subject, valid = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), Validity.of(utc_now(), 300)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.issuer.certificate.subject)
        builder = builder.public_key(key.public_key()).serial_number(random_serial_number())
        builder = builder.not_valid_before(valid.not_before).not_valid_after(valid.not_after)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        sub.issuer = Issuer(builder.sign(self.issuer.key, SHA256()), key)
        sub.write("ca.pem", sub.issuer.certificate.public_bytes(Encoding.PEM))
        sub.revoke()
        return sub

    def serial(self, name: str) -> int:
        return certificates((self.folder / f"{name}.pem").read_bytes())[0].serial

    def revoke(self, *names: str, days: float = 30, now: datetime | None = None) -> Path:
        now = now or utc_now()
        self._number += 1
        self._gone += [Revoked(self.serial(name), now) for name in names]
        return self.write("crl.pem", revocation_list(self.issuer, self._gone, number=self._number, now=now, days=days))

    def files(self, name: str = "server", *, crl: bool = True) -> TlsFiles:
        return TlsFiles(
            certificate=self.folder / f"{name}.pem",
            key=self.folder / f"{name}.key",
            ca=self.ca,
            crl=self.crl if crl else None,
        )

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(data)
        return part.rename(path)


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def caller(ca: Path, pair: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """What a modality's software uses: any server of that authority will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    if pair is not None:
        context.load_cert_chain(*pair)
    return context


End = ssl.SSLSocket | OSError


def shake(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple[End, End]:
    """A handshake; each side's socket, or what it failed with. Both read once, so that late alerts and tickets come."""
    ours, theirs = socket.socketpair()

    def at(end: socket.socket, context: ssl.SSLContext, **given: Any) -> End:
        end.settimeout(PATIENCE)
        wrapped = context.wrap_socket(end, do_handshake_on_connect=False, **given)
        try:
            wrapped.do_handshake()
            wrapped.send(b"x")
            wrapped.recv(1)
        except OSError as error:
            wrapped.close()
            return error
        return wrapped

    with ThreadPoolExecutor(2) as threads:
        answer = threads.submit(at, ours, server, server_side=True)
        asked = threads.submit(at, theirs, client, session=session)
        return answer.result(PATIENCE), asked.result(PATIENCE)


def hang_up(*ends: ssl.SSLSocket) -> None:
    """Both sides say goodbye, as RFC 5246 7.2.1 wants it."""
    with ThreadPoolExecutor(2) as threads:
        for end in threads.map(ssl.SSLSocket.unwrap, ends):
            end.close()


def say(server: ssl.SSLContext, said: bytes) -> End:
    """What becomes of a handshake when the other side says this, and hangs up."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(PATIENCE)
        wrapped = server.wrap_socket(ours, server_side=True, do_handshake_on_connect=False)
        try:
            wrapped.do_handshake()
        except OSError as error:
            wrapped.close()
            return error
        return wrapped
