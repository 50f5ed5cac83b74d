"""Settings of orders: off by default, beyond loopback only by the operator's word and for those who are listed."""

from pathlib import Path

import pytest

from triage.cli.checks_hl7 import hl7_orders
from triage.cli.serve import default_roles, free_port
from triage.config import Settings, load
from triage.domain.errors import ConfigError

BEYOND = "[hl7]\nhost = '0.0.0.0'\nport = 2575\n"


def settings(home: Path, text: str) -> Settings:
    home.mkdir(exist_ok=True)
    (home / "triage.toml").write_text(text)
    return load(home=home, environment={})


def faults(home: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        settings(home, text)
    return str(raised.value).splitlines()


def test_no_orders_are_taken_unless_a_port_is_set(tmp_path: Path) -> None:
    off = settings(tmp_path, "")
    assert "orders" not in default_roles(off)
    assert [one.words for one in hl7_orders(off)] == ["none are taken from the RIS: hl7.port is not set"]
    assert "orders" in default_roles(settings(tmp_path, "[hl7]\nport = 2575"))


def test_beyond_loopback_only_by_the_word_of_the_operator_and_for_those_listed(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, BEYOND + "allowed_peers = ['192.0.2.7']")
    assert fault.startswith("hl7.host: beyond loopback orders can be read and forged on the way")
    (fault,) = faults(tmp_path, BEYOND + "allow_plain_hl7 = true")
    assert fault == "hl7.allowed_peers: beyond loopback, list who may send orders: IP addresses"
    allowed = settings(tmp_path, BEYOND + "allow_plain_hl7 = true\nallowed_peers = ['192.0.2.7']")
    assert allowed.hl7.allowed_peers == ["192.0.2.7"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("allowed_peers = ['ris']", "hl7.allowed_peers: give IP addresses"),
        ("accession_at = ['OBR18']", "hl7.accession_at: give segments and fields"),
        ("accession = 'OBR-18'", "hl7.accession: no such setting"),
        ("max_message_bytes = 10", "hl7.max_message_bytes: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, fault: str) -> None:
    (found,) = faults(tmp_path, f"[hl7]\n{line}")
    assert found.startswith(fault)


def test_priorities_are_codes_whatever_their_case(tmp_path: Path) -> None:
    assert settings(tmp_path, "[hl7]\nstat_priorities = ['s', 'Stat', 'A']").hl7.stat_priorities == ["S", "STAT", "A"]


def test_what_check_says(tmp_path: Path) -> None:
    port = free_port()
    given = settings(tmp_path, f"[hl7]\nport = {port}\n")
    assert [(one.mark, one.subject) for one in hl7_orders(given)] == [("ok", "orders port"), ("WARN", "orders")]
    listed = settings(tmp_path, BEYOND + "allow_plain_hl7 = true\nallowed_peers = '192.0.2.7, 192.0.2.8'")
    assert [one.words for one in hl7_orders(listed)][1:] == [
        "2 addresses may send orders",
        "orders come in without TLS: they can be read and forged on the way",
    ]
