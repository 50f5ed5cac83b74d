"""``triage tls``: from the first certificate to the last revocation, each step in the audit."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from tests.certificates import a_key, caller, shake
from triage.bootstrap import open_site
from triage.cli import app
from triage.cli.checks_tls import dicom_tls
from triage.cli.finding import FAIL, OK, WARN
from triage.clock import utc_now
from triage.config import Settings, load
from triage.dimse.tls import TlsServer
from triage.domain.audit import Action
from triage.domain.errors import ConfigError, TriageError
from triage.pki.facts import certificates
from triage.pki.folder import AuthorityFolder

BEYOND = '[dimse]\nhost = "0.0.0.0"\nae_title = "CHEST"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose settings are refused before there are certificates."""
    made = tmp_path / "home"
    made.mkdir()
    (made / "triage.toml").write_text(BEYOND)
    return made


def run(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["tls", *arguments, "--home", str(home)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def set_up(home: Path) -> Settings:
    """As the administrator does it: what ``init`` prints goes into the file."""
    section = run(home, "init").partition("\n\n")[2]
    (home / "triage.toml").write_text(BEYOND + section)
    return load(home=home, environment={})


def audited(home: Path) -> list[tuple[str, str]]:
    site = open_site(load(home=home, environment={}, overrides={"dimse": {"host": "127.0.0.1"}}))
    with site.database.read() as tx:
        entries = [record.entry for record in tx.audit()]
    site.database.close()
    return [(entry.subject, entry.details["what"]) for entry in entries if entry.action is Action.CERTIFICATE]


def test_from_the_first_certificate_to_a_revocation(home: Path) -> None:
    with pytest.raises(ConfigError, match="triage tls init"):
        load(home=home, environment={})
    settings = set_up(home)
    assert settings.tls_files is not None
    server = TlsServer(settings.tls_files, settings.tls_bindings, utc_now)
    run(home, "issue", "CT1", "--days", "10")
    folder = home / "tls" / "handover" / "CT1"
    client = caller(folder / "ca.pem", (folder / "certificate.pem", folder / "key.pem"))
    ours, theirs = shake(server.context(), client)
    assert not isinstance(ours, OSError), ours
    assert not isinstance(theirs, OSError), theirs
    assert server.titles(ours) == {"CT1"}
    ours.close()
    theirs.close()
    run(home, "revoke", "CT1")
    refused, _ = shake(server.context(), client)
    assert isinstance(refused, OSError)
    rows = json.loads(run(home, "list", "--json"))
    assert {row["ae_title"]: row["state"] for row in rows} == {"CHEST": "valid", "CT1": "revoked"}
    assert "CT1              revoked" in run(home, "list")
    run(home, "renew", "--days", "20")
    assert server.trouble() is None
    (authority, _), *rest = audited(home)
    assert authority.startswith("Triage DICOM authority")
    assert rest == [("CHEST", "issued"), ("CT1", "issued"), ("CT1", "revoked"), ("CHEST", "renewed")]


def test_nothing_is_overwritten_and_what_was_refused_is_not_audited(home: Path) -> None:
    set_up(home)
    run(home, "issue", "CT1")
    before = {path: path.read_bytes() for path in (home / "tls").rglob("*") if path.is_file()}
    for arguments in (["init"], ["issue", "CT1"], ["revoke", "CT9"], ["revoke", "CT1", "--serial", "ff"]):
        with pytest.raises(TriageError):
            run(home, *arguments)
    assert {path: path.read_bytes() for path in (home / "tls").rglob("*") if path.is_file()} == before
    assert len(audited(home)) == 3


def test_renewal_with_both_certificates_until_the_old_one_is_revoked(home: Path, tmp_path: Path) -> None:
    set_up(home)
    run(home, "issue", "CT1")
    run(home, "issue", "CT1", "--out", str(tmp_path / "usb" / "CT1"))
    old, new = (
        f"{certificates(path.read_bytes())[0].serial:x}"
        for path in (home / "tls/handover/CT1/certificate.pem", tmp_path / "usb/CT1/certificate.pem")
    )
    run(home, "revoke", "CT1", "--serial", old)
    states = {row["serial"]: row["state"] for row in json.loads(run(home, "list", "--json"))}
    assert (states[old], states[new]) == ("revoked", "valid")


def test_a_modality_may_keep_its_key(home: Path, tmp_path: Path) -> None:
    set_up(home)
    key = a_key()
    asked = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SOMEBODY_ELSE")])
    )
    (tmp_path / "ct.csr").write_bytes(asked.sign(key, SHA256()).public_bytes(Encoding.PEM))
    run(home, "issue", "CT1", "--csr", str(tmp_path / "ct.csr"))
    folder = home / "tls" / "handover" / "CT1"
    assert {path.name for path in folder.iterdir()} == {"certificate.pem", "ca.pem"}
    made = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    assert made.public_key() == key.public_key()
    assert certificates((folder / "certificate.pem").read_bytes())[0].common_name == "CT1"


def test_only_init_makes_a_home(tmp_path: Path) -> None:
    for arguments in (["list"], ["renew"], ["issue", "CT1"], ["revoke", "CT1"]):
        with pytest.raises(ConfigError, match="does not exist"):
            run(tmp_path / "none", *arguments)
    assert not (tmp_path / "none").exists()


def test_a_revocation_that_nobody_looks_at_is_told(home: Path) -> None:
    run(home, "init")
    run(home, "issue", "CT1")
    done = CliRunner().invoke(app, ["tls", "revoke", "CT1", "--home", str(home)])
    assert done.exit_code == 0
    assert "the listener does not look at this list" in done.output


def marks(settings: Settings) -> list[str]:
    found = list(dicom_tls(settings))
    for one in found:
        print(one.mark, one.subject, one.words, "->", one.remedy)
        assert one.mark == OK or one.remedy
    return [one.mark for one in found]


def test_check_tells_what_will_end_and_what_is_open(home: Path) -> None:
    plain = load(home=home, environment={}, overrides={"dimse": {"host": "127.0.0.1"}})
    assert marks(plain) == [OK]
    settings = set_up(home)
    assert marks(settings) == [OK, OK, OK]
    run(home, "renew", "--days", "20")
    assert marks(settings) == [WARN, OK, OK]
    folder = AuthorityFolder(home / "tls")
    folder.revoke(folder.issuer(), (), utc_now() - timedelta(days=28))
    assert marks(settings) == [WARN, OK, WARN]
    folder.revoke(folder.issuer(), (), utc_now() - timedelta(days=31))
    assert marks(settings) == [WARN, OK, FAIL]
    (home / "tls" / "server.key").chmod(0o640 | 0o004)
    assert marks(settings) == [FAIL]
    overrides = {"dimse": {"allow_plain_dicom": True, "allowed_peers": ["CT1@10.0.0.2"]}}
    (home / "triage.toml").write_text(BEYOND)
    assert marks(load(home=home, environment={}, overrides=overrides)) == [WARN]
