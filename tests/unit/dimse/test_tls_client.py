"""DICOM TLS as the one who calls: no byte goes to somebody who is not the one that was called."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import PATIENCE, Hospital
from triage.clock import utc_now
from triage.dimse.bindings import Bindings
from triage.dimse.tls import TlsServer
from triage.dimse.tls_client import ClientContext, client_context
from triage.domain.errors import ConfigError


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    made = Hospital(tmp_path / "hospital")
    made.issue("us", "TRIAGE")
    return made


def calling(hospital: Hospital, ae_title: str = "PACS", host: str = "10.0.0.7", **bound: list[str]) -> ClientContext:
    return client_context(hospital.files("us"), ae_title=ae_title, host=host, bindings=Bindings.of(bound), clock=utc_now)


def received(server: ssl.SSLContext, client: ClientContext) -> bytes:
    """What the called one reads; empty when it was not believed. As pynetdicom does it: wrapped, then connected."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:

        def answer() -> bytes:
            ours, _ = listening.accept()
            ours.settimeout(PATIENCE)
            try:
                with server.wrap_socket(ours, server_side=True) as wrapped:
                    return wrapped.recv(100)
            except OSError:
                ours.close()
                return b""

        heard = threads.submit(answer)
        with client.wrap_socket(socket.socket(), server_hostname="10.0.0.7") as theirs:
            theirs.settimeout(PATIENCE)
            try:
                theirs.connect(listening.getsockname())
                theirs.sendall(b"A-ASSOCIATE-RQ")
            except OSError:
                pass
        return heard.result(PATIENCE)


def serving(hospital: Hospital, name: str) -> ssl.SSLContext:
    return TlsServer(hospital.files(name), Bindings(), utc_now).context()


def test_the_one_called_is_believed_by_its_title_or_its_host(hospital: Hospital) -> None:
    hospital.issue("title", "PACS")
    hospital.issue("address", "archive.example", hosts=["10.0.0.7"])
    hospital.issue("name", "archive.example", hosts=["Archive.Example"])
    hospital.issue("bound", "archive-7")
    for name, client in (
        ("title", calling(hospital)),
        ("address", calling(hospital)),
        ("name", calling(hospital, host="archive.example")),
        ("bound", calling(hospital, **{"archive-7": ["PACS"]})),
    ):
        assert received(serving(hospital, name), client) == b"A-ASSOCIATE-RQ", name
        assert client.failure is None


def test_another_one_of_the_same_authority_is_not(hospital: Hospital) -> None:
    hospital.issue("CT1")
    client = calling(hospital)
    assert received(serving(hospital, "CT1"), client) == b""
    assert client.failure == "its certificate names neither PACS nor 10.0.0.7"


def test_bad_certificates_of_the_called_are_refused_and_named(hospital: Hospital, tmp_path: Path) -> None:
    other = Hospital(tmp_path / "other", "Another")
    other.issue("PACS")
    hospital.issue("gone", "PACS")
    hospital.revoke("gone")
    hospital.issue("caller", "PACS", purposes=[ExtendedKeyUsageOID.CLIENT_AUTH])
    for at, name, words in (
        (other, "PACS", "not among dimse.tls.ca"),
        (hospital, "gone", "revoked"),
        (hospital, "caller", "may not be used for this role"),
    ):
        client = calling(hospital)
        assert received(serving(at, name), client) == b""
        assert client.failure is not None
        print(client.failure)
        assert words in client.failure


def test_files_that_cannot_be_used_are_named(hospital: Hospital) -> None:
    for file, name in (("crl.pem", "crl"), ("us.key", "key")):
        (hospital.folder / file).write_bytes(b"nothing")
        with pytest.raises(ConfigError, match=rf"dimse\.tls\.{name}: "):
            calling(hospital)
