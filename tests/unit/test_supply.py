"""What is installed is what is locked, under licences that may be, and no audit counts that did not look."""

from typing import Any

import pytest

from tests import supply

LOCK = supply.locked(supply.LOCK.read_text("utf-8"))


def component(name: str, *licences: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1", "licenses": list(licences)}


def audited(*names: str, **more: Any) -> dict[str, Any]:
    return {"dependencies": [{"name": name, "version": "1", "vulns": []} | more for name in names]}


def test_the_lock_is_read_by_its_markers() -> None:
    text = (
        'one==1.0 \\\n    --hash=sha256:aa\nTwo_b==2 ; python_full_version < "3.12" \\\nthree==3 ; sys_platform == "win32" \\\n'
    )
    assert supply.locked(text, {"python_full_version": "3.11.7", "sys_platform": "linux"}) == {"one": "1.0", "two-b": "2"}
    assert len(LOCK) > 40


def test_nothing_is_locked_that_is_known_to_be_bad() -> None:
    assert list(supply.known_bad(LOCK)) == []
    assert list(supply.known_bad({"pydicom": "3.0.1"})) == ["pydicom 3.0.1: has a known hole; take 3.0.2 or later"]


def test_no_package_is_there_that_was_rejected() -> None:
    assert not {"pylibjpeg-libjpeg", "pylibjpeg", "python-gdcm", "tensorflow", "tensorflow-cpu"} & LOCK.keys()


def test_what_is_listed_is_what_is_locked() -> None:
    document = {"components": [component("One"), component("pip")]}
    assert list(supply.differences({"one": "1"}, supply.of_components(document))) == []
    assert list(supply.differences({"one": "2", "two": "1"}, supply.of_components(document))) == [
        "one: locked 2, listed 1",
        "two: locked 1, listed not at all",
    ]


@pytest.mark.parametrize(
    ("licence", "fits"),
    [
        ({"license": {"id": "MIT"}}, True),
        ({"expression": "Apache-2.0 OR GPL-3.0-only"}, True),
        ({"expression": "MIT AND GPL-3.0-only"}, False),
        ({"license": {"name": "License :: OSI Approved :: BSD License"}}, True),
        ({"license": {"name": "Proprietary"}}, False),
    ],
)
def test_licences(licence: dict[str, Any], fits: bool) -> None:
    assert bool(list(supply.odd_licences({"components": [component("new", licence)]}))) is not fits
    assert list(supply.odd_licences({"components": [component("new")]})), "none named is none known"


def test_an_audit_that_looked_at_fewer_than_are_installed_has_failed() -> None:
    assert list(supply.audit_faults(audited("one", "two"), ["one", "two"])) == []
    assert list(supply.audit_faults(audited("one"), ["one", "two"])) == ["two: was not audited"]
    skipped = {"dependencies": [*audited("one")["dependencies"], {"name": "two", "skip_reason": "not found on PyPI"}]}
    assert list(supply.audit_faults(skipped, ["one", "two"])) == ["two: was not audited"]
    hole = {"id": "PYSEC-1", "fix_versions": ["2"]}
    assert list(supply.audit_faults(audited("one", vulns=[hole]), ["one"])) == ["one 1: PYSEC-1; mended in 2"]
