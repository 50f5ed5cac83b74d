"""The settings of DICOM TLS, and what is refused without it."""

from pathlib import Path

import pytest

from tests.unit.test_config import faults, settings

TLS = """
[dimse.tls]
certificate = "tls/server.pem"
key = "/run/secrets/dicom.key"
ca = "tls/ca.pem"
"""
BEYOND = "[dimse]\nhost = '0.0.0.0'\n"


def test_without_certificates_tls_is_off(tmp_path: Path) -> None:
    assert settings(tmp_path).tls_files is None
    assert settings(tmp_path, environment={"TRIAGE_DIMSE__TLS__CERTIFICATE": ""}).tls_files is None


def test_paths_are_relative_to_the_home(tmp_path: Path) -> None:
    files = settings(tmp_path, TLS + 'crl = "tls/crl.pem"').tls_files
    assert files is not None
    assert (files.certificate, files.key) == (tmp_path / "tls/server.pem", Path("/run/secrets/dicom.key"))
    assert (files.ca, files.crl) == (tmp_path / "tls/ca.pem", tmp_path / "tls/crl.pem")


def test_bindings_come_from_a_table_or_a_variable(tmp_path: Path) -> None:
    text = TLS + 'bindings = { "ct2.example" = ["CT2", "CT2_STORE"], "x" = "CT3" }'
    by_variable = {"TRIAGE_DIMSE__TLS__BINDINGS": "ct2.example=CT2, x=CT3, ct2.example=CT2_STORE"}
    for found in (settings(tmp_path, text), settings(tmp_path, TLS, by_variable)):
        assert found.tls_bindings.titles("ct2.example", "") == {"CT2", "CT2_STORE"}
        assert found.tls_bindings.titles("x", "") == {"CT3"}


@pytest.mark.parametrize("line", ["certificate", "key", "ca"])
def test_certificate_key_and_authority_go_together(tmp_path: Path, line: str) -> None:
    text = "\n".join(one for one in TLS.splitlines() if not one.startswith(line))
    assert faults(tmp_path, text) == ["dimse.tls: give certificate, key and ca; triage tls init makes all three"]
    assert faults(tmp_path, "[dimse.tls]\ncrl = 'x'")


def test_an_unknown_key_and_a_wrong_binding_are_named(tmp_path: Path) -> None:
    assert faults(tmp_path, TLS + "carl = 'x'") == ["dimse.tls.carl: no such setting; did you mean dimse.tls.crl?"]
    (fault,) = faults(tmp_path, TLS + "bindings = { x = ['MUCH_TOO_LONG_FOR_A_TITLE'] }")
    assert fault.startswith("dimse.tls: 'x': give a common name")


def test_beyond_loopback_only_with_tls_or_the_word_of_the_operator(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, BEYOND + "allowed_peers = ['CT1@10.0.0.2']")
    assert fault.startswith("dimse.host: beyond loopback only with DICOM TLS: run triage tls init")
    assert settings(tmp_path, BEYOND + TLS).dimse.host == "0.0.0.0"
    plain = BEYOND + "allow_plain_dicom = true\n"
    assert settings(tmp_path, plain + "allowed_peers = ['CT1@10.0.0.2']").dimse.allow_plain_dicom
    (fault,) = faults(tmp_path, plain)
    assert fault == "dimse.allowed_peers: beyond loopback without TLS, list who may send: AET@ADDRESS"


def test_a_faulty_section_is_told_once(tmp_path: Path) -> None:
    assert [one.partition(":")[0] for one in faults(tmp_path, BEYOND + "[dimse.tls]\nkey = 'x'")] == ["dimse.tls"]


@pytest.mark.parametrize("name", ["query_peers", "retrieve_peers"])
def test_who_may_have_films_without_tls_is_known_by_the_address(tmp_path: Path, name: str) -> None:
    """A title is whatever a caller writes."""
    plain = BEYOND + "allow_plain_dicom = true\nallowed_peers = ['CT1@10.0.0.2']\n"
    (fault,) = faults(tmp_path, plain + f"{name} = ['VIEWER']")
    assert fault == f"dimse.{name}: beyond loopback without TLS anybody can take a title: give AET@ADDRESS"
    assert getattr(settings(tmp_path, plain + f"{name} = ['VIEWER@10.0.0.3']").dimse, name) == ["VIEWER@10.0.0.3"]
    assert getattr(settings(tmp_path, f"[dimse]\n{name} = ['VIEWER']").dimse, name) == ["VIEWER"]
