"""Patient and study of a result: byte for byte the film's where that may stand; never somebody else's."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tests.size import size
from tests.unit.reporting.results import STUDY, films, header, header_of, scored
from triage.domain.instance import Facts
from triage.reporting import characters
from triage.reporting.header import COPIED, REQUIRED, patient_and_study
from triage.reporting.words import percents

IDENTIFIERS = ("PatientID", "AccessionNumber", "StudyID", "IssuerOfPatientID")


def of(*films: Dataset, **facts: Any) -> Dataset:
    return patient_and_study(replace(scored(), facts=Facts(**facts)), films)


def raw(dataset: Dataset, keyword: str) -> bytes:
    return bytes(dataset.get_item(keyword).value or b"") if keyword in dataset else b""


@pytest.mark.parametrize(
    ("keyword", "said", "written"),
    [
        ("PatientID", "A" * 65, ""),
        ("PatientID", "A\\B", ""),
        ("AccessionNumber", "A" * 17, ""),
        ("AccessionNumber", "A\tB", ""),
        ("AccessionNumber", " A-1", " A-1"),
        ("PatientBirthDate", "19801340", ""),
        ("PatientBirthDate", "00000000", ""),
        ("StudyTime", "25:00", ""),
        ("StudyTime", "0830", "0830"),
        ("PatientSex", "f", "F"),
        ("PatientSex", "female", ""),
        ("PatientAge", "45Y", "045Y"),
        ("PatientName", "A^B^C^D^E^F", "A^B^C^D^E"),
        ("StudyDescription", "Chest\\PA", "Chest PA"),
    ],
)
def test_what_may_not_stand_is_made_valid_and_no_identifier_is_ever_another(keyword: str, said: str, written: str) -> None:
    film = header()
    tag = Tag(keyword)
    film[tag] = RawDataElement(tag, COPIED[keyword].vr, len(said), said.encode(), 0, False, True)
    assert raw(of(film), keyword).decode().rstrip() == written


def test_of_several_films_the_first_of_the_study_that_can_be_read_speaks() -> None:
    stranger = header(PatientID="P-9", StudyInstanceUID="1.2.9")
    assert of(Dataset(), stranger, header(PatientID="P-2"), header(PatientID="P-3")).PatientID == "P-2"


def test_without_any_film_the_list_speaks() -> None:
    found = of(Dataset(), patient_id="P-7", patient_name="Müller^Jürgen", accession_number="A" * 40)
    assert (found.PatientID, str(found.PatientName), found.AccessionNumber) == ("P-7", "Müller^Jürgen", "")
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert all(keyword in found for keyword in REQUIRED)


def test_a_film_that_states_no_character_set_keeps_its_bytes() -> None:
    for name, stated in (("Müller".encode("latin-1"), "ISO_IR 100"), ("Müller".encode(), "ISO_IR 192")):
        film = header(patient_name="Muller ")
        film[0x00100010] = film.get_item("PatientName")._replace(value=name)
        found = of(film)
        assert (raw(found, "PatientName").strip(), found.SpecificCharacterSet) == (name, stated)


@settings(max_examples=size(60, 2000), deadline=None)
@given(films())
def test_values_that_may_stand_are_the_films_bytes_and_identifiers_are_those_or_none(given: bytes) -> None:
    film = header_of(given)
    found = of(film)
    terms = characters.known(str(found.get("SpecificCharacterSet", "")).strip("[]").replace("'", "").split(", "))
    assert found.StudyInstanceUID == STUDY
    for keyword, rule in COPIED.items():
        if keyword not in found:
            continue
        written = raw(found, keyword)
        assert len(written) % 2 == 0
        text = characters.decoded(written.rstrip(b" "), terms or characters.DEFAULT, rule.vr == "PN")
        assert text is not None
        assert text == "" or rule.fits(text)


@settings(max_examples=size(40, 2000), deadline=None)
@given(films())
def test_an_identifier_is_the_films_or_none(given: bytes) -> None:
    film = header_of(given)
    stated = film.get_item("SpecificCharacterSet")
    if stated is not None:
        return  # then letters may have to be written in another set
    for keyword in IDENTIFIERS:
        said = (raw(film, keyword)).rstrip(b"\0 ")
        assert raw(of(film), keyword).rstrip(b" ") in (said, b"")


@pytest.mark.parametrize(
    ("probability", "threshold", "shown"),
    [
        (0.91, 0.5, ("91.0", "50.0")),
        (0.49999, 0.5, ("49.999", "50.000")),
        (0.5, 0.5, ("50.0", "50.0")),
        (0.0, 1.0, ("0.0", "100.0")),
    ],
)
def test_per_cent_never_crosses_the_threshold(probability: float, threshold: float, shown: tuple[str, str]) -> None:
    assert percents(probability, threshold) == shown
