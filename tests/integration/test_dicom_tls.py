"""DICOM TLS with other people's senders: of fourteen kinds of callers one gets in, and the log says why the others do not."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Hospital
from tests.integration.conftest import Serve, running
from tests.integration.objects import film, study_uid
from tests.integration.raw import A_ABORT, A_ASSOCIATE_AC, associate_rq
from tests.integration.service import Service, until
from tests.size import size
from triage.clock import utc_now
from triage.pki.issue import Issuer

Pair = tuple[Path, Path]
SILENT = 60
EXIT_CONFIGURATION = 78

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("storescu") is None, reason="no DCMTK: install it (Debian: dcmtk)"),
]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    made = Hospital(tmp_path_factory.mktemp("hospital"))
    made.issue("server", "TRIAGE", hosts=["127.0.0.1"])
    for name in ("CT1", "CT2", "gone", "later"):
        made.issue(name)
    made.revoke("gone")
    return made


def settings(hospital: Hospital) -> dict[str, str]:
    files = {"certificate": "server.pem", "key": "server.key", "ca": "ca.pem", "crl": "crl.pem"}
    return {f"dimse__tls__{name}": str(hospital.folder / file) for name, file in files.items()}


@pytest.fixture(scope="module")
def service(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("tls") / "home"
    bound = {"dimse__tls__bindings": "ct3.radiology.hospital.example=CT3"}
    with running(Service(home, ("intake",), settings={**settings(hospital), **bound})) as service:
        yield service


def ours(hospital: Hospital, name: str) -> Pair:
    return hospital.folder / f"{name}.pem", hospital.folder / f"{name}.key"


def storescu(service: Service, hospital: Hospital, path: Path, pair: Pair | None, calling: str, *how: str) -> bool:
    """Send by DCMTK; whether it says that it was stored. ``how``: instead of a certificate."""
    tls = ["+tls", str(pair[1]), str(pair[0])] if pair else list(how)
    trust = ["+cf", str(hospital.ca)] if tls else []
    command = [
        "storescu",
        "-v",
        *tls,
        *trust,
        "-aet",
        calling,
        "-aec",
        "TRIAGE",
        "127.0.0.1",
        str(service.dimse_port),
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    stored = "Received Store Response (Success)" in done.stdout + done.stderr
    assert stored == (done.returncode == 0), done.stdout + done.stderr
    return stored


def causes(service: Service) -> list[str]:
    return [str(line["cause"]) for event in ("TLS refused", "connection refused") for line in service.logged(event)]


def audited(service: Service) -> list[str]:
    """Why 127.0.0.1 was refused, by the audit; whose certificate it was stands behind."""
    rows = service.rows("SELECT details FROM audit WHERE action = 'refused' AND subject = '127.0.0.1'")
    return [str(json.loads(row["details"])["cause"]).partition(": commonName=CT2 (sha256 ")[0] for row in rows]


def issued_by_a_leaf(hospital: Hospital) -> Pair:
    """Whoever has a modality's key makes a certificate of his own with it."""
    certificate, key = (path.read_bytes() for path in ours(hospital, "CT2"))
    secret = load_pem_private_key(key, None)
    forged, its_key = hospital.issue(
        "forged",
        "CT1",
        issuer=Issuer(load_pem_x509_certificate(certificate), secret),  # type: ignore[arg-type]
    )
    forged.write_bytes(forged.read_bytes() + certificate)
    return forged, its_key


def weak(hospital: Hospital) -> Pair:
    key = rsa.generate_private_key(65537, 1024)
    pair = hospital.issue("weak", "CT1", public_key=key.public_key())
    hospital.write("weak.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair


BAD = {
    "none": "it gave no certificate",
    "wrong authority": "its certificate comes from an authority that is not among dimse.tls.ca",
    "expired": "its certificate is expired",
    "not yet valid": "its certificate is not yet valid; compare the clocks",
    "revoked": "its certificate is revoked",
    "other AE title": "its certificate is for another AE title; see dimse.tls.bindings",
    "self-signed": "its certificate is self-signed, and not among dimse.tls.ca",
    "for servers only": "its certificate may not be used for this role (extended key usage)",
    "issued by a leaf": "its certificate was issued by one that is no authority",
    "TLS 1.1": "it offered no TLS 1.2 or later",
    "weak key": "its certificate's key is too weak",
    "plain DICOM": "it spoke no TLS: plain DICOM to the TLS port?",
    "HTTP": "it spoke HTTP on the TLS port",
}


def sent(case: str, service: Service, hospital: Hospital, path: Path) -> bool:
    """Whether a film of this caller got in."""
    before = utc_now() - timedelta(days=9)
    other = Hospital(hospital.folder / "other", "Another hospital")
    pairs = {
        "wrong authority": lambda: other.issue("CT1"),
        "expired": lambda: hospital.issue("old", "CT1", now=before, days=3),
        "not yet valid": lambda: hospital.issue("young", "CT1", now=utc_now() + timedelta(days=2)),
        "revoked": lambda: ours(hospital, "gone"),
        "other AE title": lambda: ours(hospital, "CT2"),
        "self-signed": lambda: other.self_signed("alone"),
        "for servers only": lambda: hospital.issue("web", "CT1", purposes=[ExtendedKeyUsageOID.SERVER_AUTH]),
        "issued by a leaf": lambda: issued_by_a_leaf(hospital),
    }
    if case in pairs:
        return storescu(service, hospital, path, pairs[case](), "CT1")
    if case == "none":
        return storescu(service, hospital, path, None, "CT1", "+tla")
    if case == "plain DICOM":
        return storescu(service, hospital, path, None, "CT1")
    if case == "HTTP":
        return speaks_http(service)
    return shakes_hands(service, hospital, case)


def speaks_http(service: Service) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", service.dimse_port, timeout=10)
    try:
        connection.request("GET", "/")
        return bool(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def shakes_hands(service: Service, hospital: Hospital, case: str) -> bool:
    """Callers that DCMTK would not be: it refuses to speak so, or to load such a key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_verify_locations(hospital.ca)
    context.load_cert_chain(*(weak(hospital) if case == "weak key" else ours(hospital, "CT1")))
    if case == "TLS 1.1":
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.minimum_version = ssl.TLSVersion.TLSv1_1
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    with suppress(OSError), context.wrap_socket(connected(service)) as secured:
        return secured.recv(1) != b""
    return False


def connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.dimse_port), 10)


@pytest.mark.parametrize("case", BAD)
def test_bad_callers_are_refused_and_named(service: Service, hospital: Hospital, tmp_path: Path, case: str) -> None:
    (tmp_path / "film.dcm").write_bytes(film(700))
    before = len(causes(service))
    assert not sent(case, service, hospital, tmp_path / "film.dcm")
    until(lambda: len(causes(service)) > before, 10, "a line in the log")
    (cause,) = causes(service)[before:]
    print(f"{case}: {cause}")
    assert cause == BAD[case]
    until(lambda: cause in audited(service), 10, "a record in the audit")
    assert not service.rows("SELECT 1 FROM instance WHERE study_instance_uid = ?", study_uid(700))
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("calling", ["CT1", "CT2", "CT3"])
def test_the_right_ones_get_in(service: Service, hospital: Hospital, tmp_path: Path, calling: str) -> None:
    number = 710 + int(calling[-1])
    (tmp_path / "film.dcm").write_bytes(film(number))
    pair = hospital.issue("ct3", "ct3.radiology.hospital.example") if calling == "CT3" else ours(hospital, calling)
    assert storescu(service, hospital, tmp_path / "film.dcm", pair, calling)
    (row,) = service.rows("SELECT calling_ae_title FROM instance WHERE study_instance_uid = ?", study_uid(number))
    assert row["calling_ae_title"] == calling


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_every_current_profile_of_dcmtk_gets_in(service: Service, hospital: Hospital, profile: str) -> None:
    certificate, key = ours(hospital, "CT1")
    command = ["echoscu", "+tls", key, certificate, "+cf", hospital.ca, profile, "-aet", "CT1", "-aec", "TRIAGE"]
    done = subprocess.run(
        [*command, "127.0.0.1", str(service.dimse_port)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_revocation_and_a_renewal_count_without_a_restart(service: Service, hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film(720))
    assert storescu(service, hospital, tmp_path / "film.dcm", ours(hospital, "later"), "later")
    hospital.revoke("later")
    assert not storescu(service, hospital, tmp_path / "film.dcm", ours(hospital, "later"), "later")
    until(lambda: causes(service)[-1] == BAD["revoked"], 30, "the refusal is noted")  # a moment after it was said
    hospital.issue("server", "TRIAGE", hosts=["127.0.0.1"])
    context = ssl.create_default_context(cafile=str(hospital.ca))
    context.load_cert_chain(*ours(hospital, "CT1"))
    with context.wrap_socket(connected(service), server_hostname="127.0.0.1") as secured:
        shown = secured.getpeercert()
    assert shown is not None
    assert int(str(shown["serialNumber"]), 16) == hospital.serial("server")


def test_a_broken_file_is_trouble_and_nobody_is_turned_away(service: Service, hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film(730))
    good = hospital.crl.read_bytes()
    hospital.write("crl.pem", good[: len(good) // 2])
    trouble = until(lambda: (service.role("intake") or {"trouble": ""})["trouble"], 30, "trouble told")
    assert trouble.startswith("DICOM TLS goes on with the former files: dimse.tls.crl: ")
    assert storescu(service, hospital, tmp_path / "film.dcm", ours(hospital, "CT1"), "CT1")
    hospital.write("crl.pem", good)
    until(lambda: (service.role("intake") or {"trouble": "?"})["trouble"] is None, 30, "trouble over")


def test_silent_peers_keep_nobody_waiting(service: Service, hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film(740))
    with ExitStack() as stack:
        for _ in range(SILENT):
            stack.enter_context(connected(service))
        begun = time.monotonic()
        assert storescu(service, hospital, tmp_path / "film.dcm", ours(hospital, "CT1"), "CT1")
        print(f"a film beside {SILENT} silent peers on the TLS port: {time.monotonic() - begun:.2f} s")


def test_what_ends_an_association_is_said_by_tls(serve: Serve, hospital: Hospital) -> None:
    service = serve("intake", settings=settings(hospital))
    context = ssl.create_default_context(cafile=str(hospital.ca))
    context.load_cert_chain(*hospital.issue("RAW"))
    with context.wrap_socket(connected(service), server_hostname="127.0.0.1") as secured:
        secured.sendall(associate_rq())
        assert secured.recv(1000)[0] == A_ASSOCIATE_AC
        service.stop()
        assert secured.recv(1000)[0] == A_ABORT


def send(service: Service, hospital: Hospital, path: Path, *options: str, to: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage", "send", str(path), "--to", f"{to}:{service.dimse_port}", *options]
    return subprocess.run(
        command,
        env={**service.environment, "TRIAGE_HOME": str(service.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_triage_send_by_tls(service: Service, hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film(750))
    own = send(service, hospital, tmp_path / "film.dcm", "--tls", to="TRIAGE@127.0.0.1")
    assert (own.returncode, own.stdout) == (0, "1 of 1 stored\n"), own.stderr
    certificate, key = ours(hospital, "CT1")
    named = ["--certificate", str(certificate), "--key", str(key), "--ca", str(hospital.ca), "--as", "CT1"]
    other = send(service, hospital, tmp_path / "film.dcm", *named, to="TRIAGE@127.0.0.1")
    assert other.returncode == 0, other.stderr
    plain = send(service, hospital, tmp_path / "film.dcm", to="TRIAGE@127.0.0.1")
    assert plain.returncode == 1
    wrong = Hospital(tmp_path / "wrong", "Wrong").ca
    refused = send(service, hospital, tmp_path / "film.dcm", *named[:4], "--ca", str(wrong), to="TRIAGE@127.0.0.1")
    assert refused.returncode == 1
    assert "no DICOM TLS: its certificate comes from an authority" in refused.stderr
    assert "Traceback" not in refused.stderr


def ended_at_once(home: Path, variables: dict[str, str]) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    environment |= {f"TRIAGE_{name.upper()}": value for name, value in variables.items()}
    command = [sys.executable, "-m", "triage", "serve", "intake", "--home", str(home), "--dimse-port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_CONFIGURATION, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    return line


def test_what_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path / "hospital")
    hospital.issue("server", "TRIAGE")
    hospital.issue("CT1")
    hospital.issue("old", "TRIAGE", now=utc_now() - timedelta(days=9), days=3)
    good, at = settings(hospital), str(hospital.folder)
    (hospital.folder / "open.key").write_bytes((hospital.folder / "server.key").read_bytes())
    (hospital.folder / "open.key").chmod(0o644)
    for change, words in (
        ({"dimse__tls__key": f"{at}/none"}, "No such file"),
        ({"dimse__tls__key": f"{at}/CT1.key"}, "does not belong to dimse.tls.certificate"),
        ({"dimse__tls__key": f"{at}/open.key"}, "can be read by others; run: chmod 600"),
        ({"dimse__tls__certificate": f"{at}/old.pem", "dimse__tls__key": f"{at}/old.key"}, "is expired"),
        ({"dimse__tls__crl": f"{at}/ca.pem"}, "no revocation list that can be read"),
    )[:: size(2, 1)]:
        line = ended_at_once(tmp_path / "home", {**good, **change})
        print(line)
        assert words in line
    line = ended_at_once(tmp_path / "home", {"dimse__host": "0.0.0.0"})
    assert "triage tls init" in line


def test_from_init_to_a_film_and_to_a_revocation(serve: Serve, tmp_path: Path) -> None:
    """The way of ``docs/tls.md``, typed as it stands there."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "triage.toml").write_text('[dimse]\nhost = "0.0.0.0"\n')
    command = Service(home).triage
    made = command("tls", "init", "--host", "127.0.0.1")
    assert made.returncode == 0, made.stderr
    (home / "triage.toml").write_text('[dimse]\nhost = "0.0.0.0"\n' + made.stdout.partition("\n\n")[2])
    assert command("tls", "issue", "CT1").returncode == 0
    service = serve("intake", home=home)
    folder = home / "tls" / "handover" / "CT1"
    (tmp_path / "film.dcm").write_bytes(film(760))
    arguments = [
        "+tls",
        folder / "key.pem",
        folder / "certificate.pem",
        "+cf",
        folder / "ca.pem",
        "-aet",
        "CT1",
        "-aec",
        "TRIAGE",
    ]
    send = ["storescu", *arguments, "127.0.0.1", str(service.dimse_port), tmp_path / "film.dcm"]
    assert subprocess.run(send, timeout=60, check=False).returncode == 0
    assert command("tls", "revoke", "CT1").returncode == 0
    assert subprocess.run(send, timeout=60, check=False, capture_output=True).returncode != 0
    assert command("tls", "renew").returncode == 0
    rows = json.loads(command("tls", "list", "--json").stdout)
    assert sorted((row["ae_title"], row["state"]) for row in rows) == [
        ("CT1", "revoked"),
        ("TRIAGE", "valid"),
        ("TRIAGE", "valid"),
    ]
    marks = {one["subject"]: one["mark"] for one in json.loads(command("check", "--json").stdout)}
    assert marks["dicom tls"] == "ok"
    service.stop()
