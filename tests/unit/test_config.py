"""Settings: options over variables over file over defaults; every fault on a line of its own."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from triage.config import Settings, known_keys, load, without_secrets
from triage.domain.account import Role
from triage.domain.errors import ConfigError
from triage.domain.level import HeadStarts


def settings(
    tmp_path: Path, text: str = "", environment: dict[str, str] | None = None, overrides: dict[str, Any] | None = None
) -> Settings:
    """The settings of a home with that file."""
    (tmp_path / "triage.toml").write_text(text, encoding="utf-8")
    return load(home=tmp_path, environment=environment or {}, overrides=overrides)


def faults(tmp_path: Path, text: str = "", environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text, environment)
    return str(caught.value).splitlines()


def test_the_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.dimse.ae_title, found.dimse.host, found.dimse.port) == ("TRIAGE", "127.0.0.1", 11112)
    assert (found.web.host, found.web.port) == ("127.0.0.1", 8080)
    assert found.policy.min_age_years == 16
    assert found.policy.head_starts == HeadStarts()
    assert found.database == f"sqlite:///{tmp_path / 'triage.db'}"
    assert load(environment={}).home == Path("triage-home").absolute()


def test_options_outrank_variables_outrank_the_file(tmp_path: Path) -> None:
    text, variables = "[dimse]\nport = 1\nae_title = 'FILE'\nmax_associations = 7", {"TRIAGE_DIMSE__PORT": "2"}
    assert settings(tmp_path, text).dimse.port == 1
    assert settings(tmp_path, text, variables).dimse.port == 2
    found = settings(tmp_path, text, variables, {"dimse": {"port": 3}}).dimse
    assert (found.port, found.ae_title, found.max_associations) == (3, "FILE", 7)


def test_variables_nest_by_two_underscores(tmp_path: Path) -> None:
    variables = {
        "TRIAGE_POLICY__HEAD_START__FLAGGED": "30 h",
        "TRIAGE_DIMSE__ALLOWED_PEERS": "CR1@10.0.0.7, DX2",
        "TRIAGE_WORKER__THREADS": "2",
        "UNRELATED": "x",
    }
    found = settings(tmp_path, environment=variables)
    assert found.policy.head_starts.flagged == timedelta(hours=30)
    assert found.dimse.allowed_peers == ["CR1@10.0.0.7", "DX2"]
    assert found.worker.threads == 2


def test_home_comes_from_its_variable_unless_named(tmp_path: Path) -> None:
    elsewhere = {"TRIAGE_HOME": str(tmp_path / "elsewhere")}
    assert load(environment=elsewhere).home == tmp_path / "elsewhere"
    assert load(home=tmp_path, environment=elsewhere).home == tmp_path
    assert load(environment={"TRIAGE_HOME": ""}).home == Path("triage-home").absolute()


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("[dimse]\nprot = 1", "dimse.port"),
        ("[dimse]\nae_tilte = 'X'", "dimse.ae_title"),
        ("[policy.head_start]\nflaged = 1", "policy.head_start.flagged"),
        ("databse_url = 'x'", "database_url"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(tmp_path: Path, wrong: str, near: str) -> None:
    (fault,) = faults(tmp_path, wrong)
    assert fault.endswith(f"no such setting; did you mean {near}?")


def test_an_unknown_variable_is_a_fault_too(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, environment={"TRIAGE_WEB__PROT": "1"})
    assert fault == "web.prot: no such setting; did you mean web.port?"


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    text = "[dimse]\nport = 99999\nhost = '0.0.0.0'\n[worker]\nthreads = 0\n[policy]\nmin_age_years = -1\n"
    text += "[storage]\nflor_bytes = 1"
    found = faults(tmp_path, text)
    assert [fault.partition(":")[0] for fault in found] == [
        "dimse.host",
        "dimse.port",
        "worker.threads",
        "policy.min_age_years",
        "storage.flor_bytes",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("'24 h'", 86400), ("'30 d'", 2592000), ("'1500 min'", 90000), ("'90000'", 90000), ("90000", 90000), ("'1.5 d'", 129600)],
)
def test_a_duration_is_seconds_or_a_number_with_a_unit(tmp_path: Path, text: str, seconds: int) -> None:
    found = settings(tmp_path, f"[policy.head_start]\nflagged = {text}")
    assert found.policy.head_starts.flagged == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["'soon'", "'-24 h'", "'24 fortnights'", "true", "''", "-1"])
def test_what_is_no_duration_is_refused(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, f"[policy.head_start]\nflagged = {text}")


@pytest.mark.parametrize(
    "text", ["flagged = '-1 h'", "not_flagged = '25 h'", "stat = '1 h'", "pending = 0\nnot_flagged = '1 h'"]
)
def test_head_starts_that_break_a_promise_do_not_start(tmp_path: Path, text: str) -> None:
    (fault,) = faults(tmp_path, f"[policy.head_start]\n{text}")
    assert fault.startswith("policy.head_start")


@pytest.mark.parametrize("section", ["dimse", "web"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org", ""])
def test_only_loopback_is_served(tmp_path: Path, section: str, host: str) -> None:
    (fault,) = faults(tmp_path, f"[{section}]\nhost = '{host}'")
    assert fault.startswith(f"{section}.host: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_any_loopback_address_will_do(tmp_path: Path, host: str) -> None:
    assert settings(tmp_path, f"[dimse]\nhost = '{host}'").dimse.host == host


@pytest.mark.parametrize("title", ["", " ", "A" * 17, "A\\\\B"])
def test_an_ae_title_is_checked(tmp_path: Path, title: str) -> None:
    (fault,) = faults(tmp_path, f'[dimse]\nae_title = "{title}"')
    assert fault.startswith("dimse.ae_title: not an AE title")


def test_a_section_given_as_a_value_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    assert faults(tmp_path, environment={"TRIAGE_DIMSE": "x"})
    assert faults(tmp_path, environment={"TRIAGE_DIMSE": "x", "TRIAGE_DIMSE__PORT": "1"})


@pytest.mark.parametrize("text", ["[dimse", "port = = 1", "\x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.startswith(f"{tmp_path / 'triage.toml'}: ")


def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(home=tmp_path, config=tmp_path / "none.toml", environment={})


def test_every_setting_is_known_by_its_dotted_name() -> None:
    assert {"home", "dimse.port", "policy.head_start.flagged", "storage.floor_bytes"} <= set(known_keys())
    assert "dimse" not in known_keys()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://user:secret@db/x", "postgresql://user:***@db/x"),
        ("sqlite:////srv/triage.db", "sqlite:////srv/triage.db"),
        (timedelta(hours=1), 3600.0),
        (Path("/srv"), "/srv"),
    ],
)
def test_no_secret_is_shown(value: Any, shown: Any) -> None:
    assert without_secrets(value) == shown


OIDC = """
[oidc]
issuer = "https://idp.example/realms/hospital"
client_id = "triage"
roles = { "triage-chiefs" = "pacs_admin", "triage-readers" = "radiologist" }
"""


def test_an_identity_provider_is_set(tmp_path: Path) -> None:
    assert settings(tmp_path).oidc.issuer == ""
    found = settings(tmp_path, OIDC, {"TRIAGE_OIDC__CLIENT_SECRET": "hush", "TRIAGE_OIDC__SCOPES": "openid groups"}).oidc
    assert list(found.rules.roles.items()) == [("triage-chiefs", Role.PACS_ADMIN), ("triage-readers", Role.RADIOLOGIST)]
    assert (found.client_secret.get_secret_value(), found.scopes) == ("hush", "openid groups")
    assert "hush" not in repr(found) + str(without_secrets(found.client_secret))
    (tmp_path / "secret").write_text("from a file\n")
    in_file = settings(tmp_path, OIDC, {"TRIAGE_OIDC__CLIENT_SECRET_FILE": str(tmp_path / "secret")}).oidc
    assert in_file.secret() == "from a file"
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match="client_secret_file"):
        in_file.secret()
    by_variable = settings(tmp_path, OIDC.replace("roles", "# roles"), {"TRIAGE_OIDC__ROLES": "a=b=viewer, c=auditor"})
    assert by_variable.oidc.roles == {"a=b": Role.VIEWER, "c": Role.AUDITOR}
    assert without_secrets(found.roles) == {"triage-chiefs": "pacs_admin", "triage-readers": "radiologist"}


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("https://idp", "http://idp", "https"),
        ("hospital", "hospital?x=1", "https"),
        ('client_id = "triage"', "", "client_id"),
        ("roles = {", "# roles = {", "roles"),
        ('"radiologist"', '"service"', "tokens"),
        ('"radiologist"', '"king"', "roles"),
        ("[oidc]", "[oidc]\nscopes = 'profile'", "openid"),
        ("[oidc]", "[oidc]\npassword_sign_in = false\nrole_clam = 'x'", "did you mean oidc.role_claim"),
        ("[oidc]", "[oidc]\nclient_secret = 'x'\nclient_secret_file = 'y'", "one of the two"),
        ("pacs_admin", "auditor", ""),
    ],
)
def test_an_identity_provider_that_cannot_be_used_is_refused(tmp_path: Path, old: str, new: str, word: str) -> None:
    text = OIDC.replace(old, new)
    assert text != OIDC
    if not word:  # nobody would come as administrator
        text, word = text + "password_sign_in = false", "pacs_admin"
    assert word in faults(tmp_path, text)[0]


def test_without_a_provider_passwords_stay(tmp_path: Path) -> None:
    assert "issuer" in faults(tmp_path, "[oidc]\npassword_sign_in = false")[0]


def test_commitment_peers_are_found_by_their_ae_title(tmp_path: Path) -> None:
    found = settings(tmp_path, environment={"TRIAGE_DIMSE__COMMITMENT_PEERS": "CT1@10.0.0.7:104, DX2@[2001:db8::7]:11112"})
    assert {title: (one.host, one.port) for title, one in found.dimse.destinations.items()} == {
        "CT1": ("10.0.0.7", 104),
        "DX2": ("2001:db8::7", 11112),
    }
    assert settings(tmp_path).dimse.destinations == {}


@pytest.mark.parametrize(
    "wrong", ["CT1", "CT1@host", "CT1@:104", "@host:104", "CT1@host:0", "CT1@host:65536", "CT1@host:x", "A" * 17 + "@host:104"]
)
def test_a_commitment_peer_that_cannot_be_called_is_a_fault(tmp_path: Path, wrong: str) -> None:
    (fault,) = faults(tmp_path, f"[dimse]\ncommitment_peers = ['{wrong}']")
    assert fault.startswith("dimse.commitment_peers: ")
    assert "AET@HOST:PORT" in fault


def test_a_commitment_peer_listens_at_one_place(tmp_path: Path) -> None:
    assert "twice" in faults(tmp_path, "[dimse]\ncommitment_peers = ['CT1@a:104', 'CT1@b:104']")[0]


@pytest.mark.parametrize("name", ["query_peers", "retrieve_peers"])
def test_who_may_ask_and_fetch_is_nobody_unless_named(tmp_path: Path, name: str) -> None:
    assert getattr(load(home=tmp_path, environment={}).dimse, name) == []
    variable = {f"TRIAGE_DIMSE__{name.upper()}": "VIEWER@10.0.0.1, PACS"}
    assert getattr(load(home=tmp_path, environment=variable).dimse, name) == ["VIEWER@10.0.0.1", "PACS"]
    (fault,) = faults(tmp_path, f"[dimse]\n{name} = ['A TITLE THAT IS TOO LONG']")
    assert fault.startswith(f"dimse.{name}: ")


def test_a_move_destination_needs_its_port(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "[dimse]\nmove_destinations = ['ARCHIVE']")
    assert fault.startswith("dimse.move_destinations: ")
