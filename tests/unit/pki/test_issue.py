"""Certificates and lists as made: judged by OpenSSL, and the same whenever they are made of the same."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Hospital, a_key
from triage.domain.errors import ConfigError, TriageError
from triage.pki.facts import Revoked, certificates, revocation_lists, stale
from triage.pki.issue import Issuer, Validity, authority, certificate, private_pem, requested_key, revocation_list

NOW = datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
KEY, LEAF_KEY = a_key(), a_key()
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")


def made() -> tuple[Issuer, bytes, bytes]:
    root = authority(name="Authority", key=KEY, serial=1, valid=Validity.of(NOW, 3650))
    issuer = Issuer.load(root, private_pem(KEY))
    leaf = certificate(
        issuer,
        common_name="CT1",
        public_key=LEAF_KEY.public_key(),
        serial=2,
        valid=Validity.of(NOW, 10),
        hosts=["ct1.example", "10.0.0.2", "::1"],
    )
    return issuer, leaf, revocation_list(issuer, [Revoked(2, NOW)], number=7, now=NOW, days=30)


def test_of_the_same_values_the_same_is_made() -> None:
    (first, leaf, crl), (second, again, other) = made(), made()
    assert first.certificate.tbs_certificate_bytes == second.certificate.tbs_certificate_bytes
    load = x509.load_pem_x509_certificate
    assert load(leaf).tbs_certificate_bytes == load(again).tbs_certificate_bytes
    assert x509.load_pem_x509_crl(crl).tbs_certlist_bytes == x509.load_pem_x509_crl(other).tbs_certlist_bytes


def test_a_leaf_says_what_it_is_for() -> None:
    leaf = x509.load_pem_x509_certificate(made()[1])
    by_class = leaf.extensions.get_extension_for_class
    assert not by_class(x509.BasicConstraints).value.ca
    assert by_class(x509.BasicConstraints).critical
    usage = by_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert set(by_class(x509.ExtendedKeyUsage).value) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    names = by_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ct1.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.2", "::1"]
    identifier = by_class(x509.AuthorityKeyIdentifier).value.key_identifier
    root = made()[0].certificate.extensions
    assert identifier == root.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert root.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=0)
    assert isinstance(leaf.signature_hash_algorithm, SHA256)


def test_facts_are_what_was_put_in() -> None:
    _, leaf, crl = made()
    (found,) = certificates(leaf)
    assert (found.common_name, found.serial, found.is_authority) == ("CT1", 2, False)
    assert found.not_after == NOW.replace(microsecond=0) + timedelta(days=10)
    for moment, state in ((0, "valid"), (11, "expired"), (-1, "not yet valid")):
        assert found.when(NOW + timedelta(days=moment)) == state
    (listed,) = lists = revocation_lists(crl + made()[2])[:1]
    assert (listed.number, listed.issuer, [one.serial for one in listed.revoked]) == (7, "CN=Authority", [2])
    assert len(revocation_lists(crl + crl)) == 2
    assert stale(lists, NOW) is None
    assert stale(lists, NOW + timedelta(days=31)) == listed.next_update


def test_nothing_outlives_its_authority() -> None:
    issuer = made()[0]
    assert Validity.of(NOW, 5000, at_most=issuer.ends_at).not_after == issuer.ends_at


@needs_openssl
def test_openssl_accepts_all_of_it_strictly(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    hospital.issue("CT1", hosts=["ct1.example"])
    hospital.issue("gone")
    hospital.revoke("gone")

    def verified(name: str, purpose: str) -> str:
        command = ["openssl", "verify", "-x509_strict", "-crl_check", "-purpose", purpose]
        command += ["-CAfile", str(hospital.ca), "-CRLfile", str(hospital.crl), str(tmp_path / f"{name}.pem")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    for purpose in ("sslclient", "sslserver"):
        assert verified("CT1", purpose).endswith("CT1.pem: OK\n")
        assert "certificate revoked" in verified("gone", purpose)


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return asked.sign(key, digest).public_bytes(Encoding.PEM)


def test_a_request_gives_its_key() -> None:
    for key in (LEAF_KEY, ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        assert requested_key(request(key)) == key.public_key()


def test_a_request_that_proves_nothing_or_too_little_is_refused() -> None:
    der = bytearray(x509.load_pem_x509_csr(request(LEAF_KEY)).public_bytes(Encoding.DER))
    der[-3] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    for asked, words in (
        (b"", "not a certificate request"),
        (made()[1], "not a certificate request"),
        (request(rsa.generate_private_key(65537, 1024)), "too weak"),
        (request(ec.generate_private_key(ec.SECP192R1())), "too weak"),
        (request(ed25519.Ed25519PrivateKey.generate()), "too weak or of another kind"),
        (forged, "not signed by its own key"),
    ):
        with pytest.raises(TriageError, match=words):
            requested_key(asked)


def test_an_authority_needs_its_own_key() -> None:
    root = made()[0].certificate.public_bytes(Encoding.PEM)
    for key, words in ((private_pem(LEAF_KEY), "does not belong"), (b"nothing", "no PEM")):
        with pytest.raises(ConfigError, match=words):
            Issuer.load(root, key)


@pytest.mark.parametrize("damaged", [b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", b"\x30\x82"])
def test_what_is_no_list_is_refused(damaged: bytes) -> None:
    with pytest.raises(ConfigError, match="openssl crl"):
        revocation_lists(damaged)
    with pytest.raises(ConfigError, match="no certificate"):
        certificates(damaged)
