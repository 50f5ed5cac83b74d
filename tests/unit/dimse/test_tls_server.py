"""The server's side of DICOM TLS: who gets in, what is said of who does not, and files that change under it."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import End, Hospital, a_key, caller, hang_up, say, shake
from triage.clock import utc_now
from triage.dimse.bindings import Bindings
from triage.dimse.tls import TlsServer
from triage.dimse.tls_files import TlsFiles
from triage.dimse.tls_words import refusal
from triage.domain.errors import ConfigError

HTTP = b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n"
ASSOCIATE_RQ = b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00" + b"TRIAGE".ljust(16) + b"CT1".ljust(16) + bytes(32)


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    made = Hospital(tmp_path / "hospital")
    made.issue("server", "TRIAGE")
    made.issue("CT1")
    return made


def server(hospital: Hospital, bindings: Bindings | None = None, clock: Callable[[], datetime] = utc_now) -> TlsServer:
    return TlsServer(hospital.files(), bindings or Bindings(), clock)


def ours(hospital: Hospital, name: str) -> tuple[Path, Path]:
    return hospital.folder / f"{name}.pem", hospital.folder / f"{name}.key"


def gets_in(tls: TlsServer, hospital: Hospital, name: str = "CT1") -> bool:
    with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, name)))) as (end, _):
        return isinstance(end, ssl.SSLSocket)


@contextmanager
def ended(ends: tuple[End, End]) -> Iterator[tuple[End, End]]:
    try:
        yield ends
    finally:
        for end in ends:
            if isinstance(end, ssl.SSLSocket):
                end.close()


def titles(tls: TlsServer, hospital: Hospital, name: str = "CT1") -> set[str]:
    with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, name)))) as (end, _):
        assert isinstance(end, ssl.SSLSocket), end
        return set(tls.titles(end))


def test_the_right_certificate_gets_in_under_its_own_name(hospital: Hospital) -> None:
    tls = server(hospital)
    with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, "CT1")))) as (end, peer):
        assert isinstance(end, ssl.SSLSocket)
        assert isinstance(peer, ssl.SSLSocket)
        assert tls.titles(end) == {"CT1"}
        assert tls.subject(end).startswith("commonName=CT1 (sha256 ")
        assert end.version() == "TLSv1.3"
        assert not peer.session.has_ticket
    assert tls.trouble() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_bad_certificate_is_refused_and_named(hospital: Hospital, tmp_path: Path, version: ssl.TLSVersion) -> None:
    other = Hospital(tmp_path / "other", "Another hospital")
    hospital.issue("gone")
    hospital.revoke("gone")
    cases: dict[str, tuple[tuple[Path, Path] | None, str]] = {
        "none": (None, "it gave no certificate"),
        "wrong CA": (other.issue("CT1"), "its certificate comes from an authority that is not among dimse.tls.ca"),
        "self-signed": (other.self_signed("alone"), "its certificate is self-signed, and not among dimse.tls.ca"),
        "expired": (hospital.issue("old", "CT1", days=1, now=utc_now() - timedelta(days=3)), "its certificate is expired"),
        "not yet valid": (
            hospital.issue("young", "CT1", now=utc_now() + timedelta(days=2)),
            "its certificate is not yet valid; compare the clocks",
        ),
        "revoked": (ours(hospital, "gone"), "its certificate is revoked"),
        "server's use only": (
            hospital.issue("web", "CT1", purposes=[ExtendedKeyUsageOID.SERVER_AUTH]),
            "its certificate may not be used for this role (extended key usage)",
        ),
    }
    tls = server(hospital)
    for case, (pair, words) in cases.items():
        client = caller(hospital.ca, pair)
        client.maximum_version = client.minimum_version = version
        with ended(shake(tls.context(), client)) as (end, _):
            assert isinstance(end, ssl.SSLError), case
            print(f"{version.name} {case}: {refusal(end)}")
            assert refusal(end) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (HTTP, "it spoke HTTP on the TLS port"),
        (b"CONNECT pacs:1 HTTP/1.1\r\n\r\n", "it spoke HTTP on the TLS port"),
        (ASSOCIATE_RQ, "it spoke no TLS: plain DICOM to the TLS port?"),
        (b"", "it hung up during the handshake"),
        (b"\x16\x03\x01\x00\x05\x01", "it hung up during the handshake"),
    ],
)
def test_what_is_no_tls_is_named(hospital: Hospital, said: bytes, words: str) -> None:
    end = say(server(hospital).context(), said)
    assert isinstance(end, OSError)
    assert refusal(end) == words


def test_older_versions_and_weaker_ciphers_are_refused(hospital: Hospital) -> None:
    tls = server(hospital)
    old = caller(hospital.ca, ours(hospital, "CT1"))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    weak = caller(hospital.ca, ours(hospital, "CT1"))
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-GCM-SHA256:DHE+AESGCM:ECDHE+AES+SHA256")
    for client, words in ((old, "it offered no TLS 1.2 or later"), (weak, "it offered no cipher suite of BCP 195")):
        with ended(shake(tls.context(), client)) as (end, _):
            assert isinstance(end, ssl.SSLError)
            assert refusal(end).startswith(words)


def test_every_cipher_offered_has_forward_secrecy_and_aead(hospital: Hospital) -> None:
    offered = server(hospital).context().get_ciphers()
    print(", ".join(one["name"] for one in offered))
    assert {one["name"].split("-")[-1] for one in offered if one["protocol"] == "TLSv1.2"} <= {"SHA256", "SHA384", "POLY1305"}
    for one in offered:
        assert one["name"].startswith(("TLS_AES", "TLS_CHACHA20", "ECDHE-"))
        assert one["aead"]
        assert one["strength_bits"] >= 128


def test_of_all_ciphers_that_openssl_knows_three_get_in(hospital: Hospital) -> None:
    """What a scanner finds; our key is ECDSA, so that half of what is offered has no use."""
    tls, everything = server(hospital), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    everything.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    names = [one["name"] for one in everything.get_ciphers() if one["protocol"] != "TLSv1.3"]
    accepted = set()
    for name in names:
        client = caller(hospital.ca, ours(hospital, "CT1"))
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(f"{name}:@SECLEVEL=0")
        with ended(shake(tls.context(), client)) as (end, _):
            if isinstance(end, ssl.SSLSocket):
                accepted.add(name)
    print(f"{len(names)} tried, accepted: {sorted(accepted)}")
    assert len(names) > 50
    assert accepted == {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    }


def test_a_weak_rsa_key_is_refused(hospital: Hospital) -> None:
    key = rsa.generate_private_key(65537, 1024)
    pair = hospital.issue("weak", "CT1", public_key=key.public_key())
    hospital.write("weak.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.check_hostname = False
    client.load_verify_locations(hospital.ca)
    client.load_cert_chain(*pair)
    with ended(shake(server(hospital).context(), client)) as (end, _):
        assert isinstance(end, ssl.SSLError)
        assert refusal(end) == "its certificate's key is too weak"


def test_bindings_name_others_than_the_common_name(hospital: Hospital) -> None:
    bound = Bindings.of({"ct-2.hospital.example": ["CT2", "CT2_STORE"]})
    hospital.issue("two", "ct-2.hospital.example")
    assert titles(server(hospital, bound), hospital, "two") == {"CT2", "CT2_STORE"}
    assert titles(server(hospital, bound), hospital) == {"CT1"}
    assert titles(server(hospital), hospital, "two") == set(), "a host name is no AE title: 21 characters"


def test_a_revocation_counts_from_the_next_connection(hospital: Hospital) -> None:
    tls = server(hospital)
    before = tls.context()
    assert gets_in(tls, hospital)
    assert tls.context() is before
    hospital.revoke("CT1")
    assert not gets_in(tls, hospital)
    assert tls.context() is not before


def test_nobody_resumes_a_session_from_before_a_revocation(hospital: Hospital) -> None:
    tls = server(hospital)
    client = caller(hospital.ca, ours(hospital, "CT1"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with ended(shake(tls.context(), client)) as (first, peer):
        assert isinstance(first, ssl.SSLSocket)
        assert isinstance(peer, ssl.SSLSocket)
        session = peer.session
        hang_up(first, peer)  # a session that was cut off is not taken up again
    with ended(shake(tls.context(), client, session)) as (end, again):
        assert isinstance(end, ssl.SSLSocket)
        assert isinstance(again, ssl.SSLSocket)
        assert end.session_reused, "else the rest proves nothing"
        assert tls.titles(end) == {"CT1"}
        hang_up(end, again)
    hospital.revoke("CT1")
    with ended(shake(tls.context(), client, session)) as (end, _):
        assert isinstance(end, ssl.SSLError)
        assert refusal(end) == "its certificate is revoked"


def test_who_resumes_a_session_after_the_certificate_ended_has_no_title(hospital: Hospital) -> None:
    now = [utc_now()]
    tls = server(hospital, clock=lambda: now[0])
    with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, "CT1")))) as (end, _):
        assert isinstance(end, ssl.SSLSocket)
        assert tls.titles(end) == {"CT1"}
        now[0] += timedelta(days=31)
        assert tls.titles(end) == set()


def test_a_new_certificate_is_shown_from_the_next_connection(hospital: Hospital) -> None:
    tls = server(hospital)
    for _ in range(3):
        hospital.issue("server", "TRIAGE")
        with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, "CT1")))) as (_, peer):
            assert isinstance(peer, ssl.SSLSocket)
            shown = peer.getpeercert()
        assert shown is not None
        assert int(str(shown["serialNumber"]), 16) == hospital.serial("server")
    assert tls.trouble() is None


def damage(hospital: Hospital, what: str) -> None:
    if what == "half":
        whole = (hospital.folder / "server.pem").read_bytes()
        (hospital.folder / "server.pem").write_bytes(whole[: len(whole) // 2])
    elif what == "gone":
        (hospital.folder / "server.pem").unlink()
    elif what == "key of another":
        hospital.write("server.key", (hospital.folder / "CT1.key").read_bytes())
    elif what == "expired":
        hospital.issue("server", "TRIAGE", days=1, now=utc_now() - timedelta(days=3))
    elif what == "open key":
        (hospital.folder / "server.key").chmod(0o644)
    elif what == "list in half":
        hospital.crl.write_bytes(hospital.crl.read_bytes()[:100])
    elif what == "another's list":
        hospital.write("crl.pem", Hospital(hospital.folder / "x", "Another").crl.read_bytes())
    elif what == "no authority":
        hospital.write("ca.pem", b"nothing")


DAMAGES = {
    "half": "dimse.tls.certificate: ",
    "gone": "dimse.tls.certificate: ",
    "key of another": "dimse.tls.key: ",
    "expired": "dimse.tls.certificate: ",
    "open key": "dimse.tls.key: ",
    "list in half": "dimse.tls.crl: ",
    "another's list": "dimse.tls.crl: ",
    "no authority": "dimse.tls.ca: ",
}


@pytest.mark.parametrize("what", DAMAGES)
def test_files_that_cannot_be_used_leave_the_former_in_force(hospital: Hospital, what: str) -> None:
    tls = server(hospital)
    damage(hospital, what)
    trouble = tls.trouble()
    assert trouble is not None
    assert DAMAGES[what] in trouble
    assert "Traceback" not in trouble
    assert "\n" not in trouble
    other = Hospital(hospital.folder / "other")
    with ended(shake(tls.context(), caller(Hospital(hospital.folder / "third").ca, other.issue("CT1")))) as (end, _):
        assert isinstance(end, ssl.SSLError), "still asks for certificates of the former authority"
    hospital.issue("server", "TRIAGE")
    hospital.revoke()
    hospital.write("ca.pem", certificate_of(hospital))
    assert tls.trouble() is None
    assert gets_in(tls, hospital)


@pytest.mark.parametrize("what", DAMAGES)
def test_files_that_cannot_be_used_do_not_start(hospital: Hospital, what: str) -> None:
    damage(hospital, what)
    with pytest.raises(ConfigError) as caught:
        server(hospital)
    print(caught.value)
    assert str(caught.value).startswith(DAMAGES[what])
    assert str(caught.value).count("\n") == 0


def test_a_key_with_a_passphrase_does_not_start(hospital: Hospital) -> None:
    secret = a_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    hospital.write("server.key", secret)
    with pytest.raises(ConfigError, match="has a passphrase"):
        server(hospital)


def test_a_list_that_ran_out_refuses_everybody_and_says_so(hospital: Hospital) -> None:
    tls = server(hospital)
    hospital.revoke(days=1, now=utc_now() - timedelta(days=3))
    with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, "CT1")))) as (end, _):
        assert isinstance(end, ssl.SSLError)
        assert refusal(end).startswith("the revocation list ran out")
    assert "the revocation list ran out" in str(tls.trouble())


def test_our_certificate_ends_while_it_serves(hospital: Hospital) -> None:
    now = [utc_now()]
    tls = server(hospital, clock=lambda: now[0])
    now[0] += timedelta(days=31)
    assert "our DICOM TLS certificate expired" in str(tls.trouble())
    hospital.revoke("CT1")
    assert not gets_in(tls, hospital), "a revocation is taken all the same"
    assert "our DICOM TLS certificate expired" in str(tls.trouble())


def test_an_issuing_authority_without_its_root_will_do(hospital: Hospital) -> None:
    """The hospital's root stays out: then only what its authority for devices issued gets in."""
    devices = hospital.below("Devices")
    devices.issue("server", "TRIAGE")
    devices.issue("CT7")
    devices.issue("CT8")
    devices.revoke("CT8")
    tls = server(devices)
    for name, at, words in (
        ("CT7", devices, ""),
        ("CT8", devices, "its certificate is revoked"),
        ("CT1", hospital, "its certificate comes from an authority that is not among dimse.tls.ca"),
    ):
        client = caller(devices.ca, ours(at, name))
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with ended(shake(tls.context(), client)) as (end, _):
            assert (refusal(end) if isinstance(end, OSError) else "") == words


def test_two_authorities_and_their_lists_in_one_file_each(hospital: Hospital) -> None:
    """While modalities change from one authority to the next."""
    after = Hospital(hospital.folder / "next", "The next authority")
    after.issue("CT1")
    after.issue("gone")
    after.revoke("gone")
    hospital.write("both.pem", hospital.ca.read_bytes() + after.ca.read_bytes())
    hospital.write("lists.pem", hospital.crl.read_bytes() + after.crl.read_bytes())
    pair = ours(hospital, "server")
    files = TlsFiles(certificate=pair[0], key=pair[1], ca=hospital.folder / "both.pem", crl=hospital.folder / "lists.pem")
    tls = TlsServer(files, Bindings(), utc_now)
    for at, name, words in (
        (hospital, "CT1", ""),
        (after, "CT1", ""),
        (after, "gone", "its certificate is revoked"),
    ):
        with ended(shake(tls.context(), caller(hospital.ca, ours(at, name)))) as (end, _):
            assert (refusal(end) if isinstance(end, OSError) else "") == words
    hospital.write("lists.pem", after.crl.read_bytes())
    with ended(shake(tls.context(), caller(hospital.ca, ours(hospital, "CT1")))) as (end, _):
        assert isinstance(end, OSError)
        assert refusal(end) == "no revocation list of the authority that issued its certificate"


def certificate_of(hospital: Hospital) -> bytes:
    return hospital.issuer.certificate.public_bytes(Encoding.PEM)
