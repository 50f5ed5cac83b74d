"""Which AE titles a certificate may use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.dimse.bindings import Bindings
from triage.domain.identifiers import is_ae_title

PRINT = "ab" * 32
COLONS = ":".join(["AB"] * 32)


@pytest.mark.parametrize(
    ("bound", "common_name", "fingerprint", "titles"),
    [
        ({}, "CT1", PRINT, {"CT1"}),
        ({}, " CT1 ", PRINT, {"CT1"}),
        ({}, "ct-1.radiology.hospital.example", PRINT, set()),
        ({}, "", PRINT, set()),
        ({}, "CT1\x00", PRINT, set()),
        ({}, "C\\T", PRINT, set()),
        ({"CT1": ["CT2"]}, "CT1", PRINT, {"CT2"}),
        ({"CT1": ["CT2"]}, "ct1", PRINT, {"ct1"}),
        ({"host.example": ["CT1", "CT2 "]}, "host.example", PRINT, {"CT1", "CT2"}),
        ({COLONS: ["CT7"]}, "CT1", PRINT, {"CT7"}),
        ({PRINT: ["CT7"], "CT1": ["CT2"]}, "CT1", PRINT, {"CT7"}),
        ({PRINT: ["CT7"]}, PRINT, "cd" * 32, set()),  # a name that poses as a fingerprint
    ],
)
def test_the_table(bound: dict[str, list[str]], common_name: str, fingerprint: str, titles: set[str]) -> None:
    assert Bindings.of(bound).titles(common_name, fingerprint) == titles


@given(st.text(max_size=80))
def test_whatever_a_certificate_says_only_ae_titles_come_of_it(common_name: str) -> None:
    assert all(is_ae_title(title) for title in Bindings().titles(common_name, PRINT))


@pytest.mark.parametrize("bound", [{"": ["A"]}, {"x": []}, {"x": ["A" * 17]}, {"x": ["A", ""]}])
def test_what_binds_nothing_is_refused(bound: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="AE titles"):
        Bindings.of(bound)
