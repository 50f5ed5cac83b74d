"""The support bundle: made whether the service stands or not, for its owner's eyes, over nobody's file, without a secret."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triage.bootstrap import open_site
from triage.bootstrap.support import bundle
from triage.config import load, shown
from triage.database.schema import newest
from triage.domain.errors import ConfigError
from triage.domain.role import RoleStatus

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECRET = "kqzxsecret"
SECRETS = f"""
[oidc]
issuer = "https://login.example"
client_id = "triage"
client_secret = "{SECRET}"
roles = {{ admins = "pacs_admin" }}
[[destinations]]
name = "hook"
kind = "webhook"
url = "https://hooks.example/services/T0/{SECRET}?sig={SECRET}"
token = "{SECRET}"
"""


def asked(home: Path, target: Path, *logs: Path, findings: list[dict[str, str]] | None = None) -> dict[str, str]:
    bundle(load(home=home, environment={}), target, findings or [], logs, NOW, timedelta(hours=24))
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as parts:
        return {name: parts.read(name).decode() for name in parts.namelist()}


def test_of_a_site_that_stands(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "a.log"
    home.mkdir()
    (home / "triage.toml").write_text(SECRETS)
    settings = load(home=home, environment={})
    site = open_site(settings, create=True)
    status = RoleStatus(
        role="worker", pid=1, started_at=NOW, beat_at=NOW, state="running", trouble="no usable model: KQZX^NAME"
    )
    with site.database.write() as transaction:
        transaction.put_role(status)
    site.database.close()
    stamp = {"role": "intake", "event": "listening", "port": 104, "secret": SECRET}
    lines = [json.dumps(stamp | {"timestamp": (NOW - timedelta(hours=hours)).isoformat()}) for hours in (30, 2)]
    log.write_text("\n".join([*lines, "no JSON\n"]))
    finding = {"mark": "FAIL", "subject": "database", "words": "KQZX^NAME is damaged", "remedy": ""}
    parts = asked(home, tmp_path / "case.zip", log, findings=[finding])
    (line,) = parts["log-1.jsonl"].splitlines()
    assert json.loads(line)["port"] == 104
    versions, standing = json.loads(parts["versions.json"]), json.loads(parts["standing.json"])
    assert versions["schema"] == versions["schema needed"] == newest()
    assert versions["database"].startswith("sqlite 3.")
    assert "pydicom" in versions["libraries"]
    assert standing["jobs by state"] == {"waiting": 0, "running": 0, "quarantined": 0}
    assert standing["roles"][0]["trouble"] == "no usable model: ·"
    assert json.loads(parts["findings.json"])[0]["words"] == "· is damaged"
    told = json.loads(parts["settings.json"])
    assert told["dimse.ae_title"] == "TRIAGE"
    assert told["destinations"][0]["url"] == "https://hooks.example/…"
    assert [name for name, text in parts.items() if SECRET in text.lower() or "kqzx" in text.lower()] == []


def test_of_one_that_does_not(tmp_path: Path) -> None:
    parts = asked(tmp_path / "nowhere", tmp_path / "case.zip")
    assert json.loads(parts["standing.json"]) == {"cannot be asked": "there is no database yet"}
    assert not (tmp_path / "nowhere").exists(), "looking makes nothing"


def test_no_file_is_overwritten_and_a_log_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "case.zip").write_text("of another case")
    with pytest.raises(ConfigError, match=r"case\.zip: cannot be made"):
        asked(tmp_path, tmp_path / "case.zip")
    with pytest.raises(ConfigError, match="none: cannot be read"):
        asked(tmp_path, tmp_path / "other.zip", tmp_path / "none")
    assert (tmp_path / "case.zip").read_text() == "of another case"
    assert not (tmp_path / "other.zip").exists()


def test_a_secret_in_a_url_is_masked_wherever_settings_are_shown(tmp_path: Path) -> None:
    (tmp_path / "triage.toml").write_text(f'database_url = "postgresql://triage@db/site?password={SECRET}&sslmode=require"')
    url = shown(load(home=tmp_path, environment={}))["database_url"]
    assert url == "postgresql://triage@db/site?password=***&sslmode=require"
