"""Patients are never merged: what two headers may share and still be two people, tried one by one (B24)."""

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pytest

from tests import films
from tests.size import size
from tests.unit.services.sabotage import IDENTITY
from tests.unit.services.world import World
from triage.domain import identity
from triage.domain.doubt import Doubt
from triage.domain.errors import DataSetMismatch
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.imaging.header import read_header

JOINS, MARKED, SET_ASIDE = "joins", "joins, marked", "set aside"
JANE = {"PatientBirthDate": "19700101", "PatientSex": "F", "IssuerOfPatientID": "HOSPITAL-A"}
NOBODY = {"patient_id": None, "patient_name": None, "PatientBirthDate": None, "PatientSex": None, "IssuerOfPatientID": None}
NO_ID = {"patient_id": None, "IssuerOfPatientID": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A second film under the same Study Instance UID: how it differs from Jane's, and what becomes of it."""

    film: dict[str, Any]
    becomes: str
    kept: dict[str, Any]


def case(becomes: str, kept: dict[str, Any] | None = None, **film: Any) -> Case:
    return Case(film=film, becomes=becomes, kept=kept or {})


CASES: dict[str, Case] = {
    # the same patient
    "all alike": case(JOINS),
    "the ID with trailing spaces": case(JOINS, patient_id="P-1  "),
    "the ID with leading spaces": case(JOINS, patient_id="  P-1"),
    "issuer with padding": case(JOINS, IssuerOfPatientID="HOSPITAL-A "),
    "no issuer": case(JOINS, IssuerOfPatientID=None),
    "issuer empty": case(JOINS, IssuerOfPatientID=""),
    "no issuer first": case(JOINS, {"IssuerOfPatientID": None}),
    "name in capitals": case(JOINS, patient_name="DOE^JANE"),
    "name with empty components": case(JOINS, patient_name="Doe^Jane^^^"),
    "name with a middle name": case(JOINS, patient_name="Doe^Jane^Ann"),
    "name with a title": case(JOINS, patient_name="Doe^Jane^^Dr"),
    "name with a suffix": case(JOINS, patient_name="Doe^Jane^^^Jr"),
    "name in letters of two parts": case(
        JOINS,
        {"patient_name": "Mu\u0308ller^Jane", "SpecificCharacterSet": "ISO_IR 192"},
        patient_name="M\u00fcller^Jane",
        SpecificCharacterSet="ISO_IR 192",
    ),
    "family name only": case(JOINS, patient_name="Doe"),
    "no name": case(JOINS, patient_name=None),
    "no birth date": case(JOINS, PatientBirthDate=None),
    "no sex": case(JOINS, PatientSex=None),
    "sex other": case(JOINS, PatientSex="O"),
    "birth date in the old format": case(JOINS, PatientBirthDate="1970.01.01"),
    "birth date known later": case(JOINS, {"PatientBirthDate": "19000101"}),
    "named and born later": case(
        MARKED, {"patient_name": "UNKNOWN^TRAUMA", "PatientBirthDate": "19000101"}, patient_name="DOE^JOHN"
    ),
    "another accession": case(JOINS, accession_number="ACC-2"),
    "another age": case(JOINS, age="046Y"),
    "no ID, the same name": case(JOINS, **NO_ID),
    "no ID first, the same name": case(JOINS, NO_ID),
    # one thing beside the same ID: corrected later, or another person's
    "name corrected later (ADT)": case(MARKED, patient_name="Dough^Jane"),
    "name by marriage": case(MARKED, patient_name="Smith^Jane"),
    "another given name": case(MARKED, patient_name="Doe^Mary"),
    "another suffix": case(MARKED, {"patient_name": "Doe^Jane^^^Sr"}, patient_name="Doe^Jane^^^Jr"),
    "family and given name swapped": case(MARKED, patient_name="Jane^Doe"),
    "birth date corrected": case(MARKED, PatientBirthDate="19700110"),
    "sex corrected": case(MARKED, PatientSex="M"),
    "unknown person named later": case(MARKED, {"patient_name": "Unknown^Female"}, patient_name="Doe^Jane"),
    "a film that names nobody": case(MARKED, **NOBODY),
    "first a film that names nobody": case(MARKED, NOBODY),
    "no ID, no birth date, family name only": case(
        MARKED, **{**NO_ID, "PatientBirthDate": None, "patient_name": "Doe"}
    ),
    "no ID, the same birth date only": case(MARKED, **{**NO_ID, "patient_name": None}),
    "no ID, the same placeholder of a birth date only": case(
        MARKED, {"PatientBirthDate": "19000101"}, **{**NO_ID, "patient_name": None, "PatientBirthDate": "19000101"}
    ),
    "no ID and only the same sex": case(MARKED, **{**NO_ID, "PatientBirthDate": None, "patient_name": None}),
    "neither names anybody": case(MARKED, NOBODY, **NOBODY),
    # another patient
    "another ID, all else alike (a twin; the same name)": case(SET_ASIDE, patient_id="P-2"),
    "another ID, nothing else given": case(SET_ASIDE, **{**NOBODY, "patient_id": "P-2"}),
    "the ID in another case": case(SET_ASIDE, patient_id="p-1"),
    "the ID with leading zeros": case(SET_ASIDE, {"patient_id": "17"}, patient_id="0017"),
    "the ID with a space within": case(SET_ASIDE, patient_id="P -1"),
    "the ID with another dash": case(SET_ASIDE, patient_id="P–1"),
    "the ID in other letters that look alike": case(SET_ASIDE, patient_id="Р-1", SpecificCharacterSet="ISO_IR 192"),
    "the ID in full-width letters": case(SET_ASIDE, patient_id="Ｐ-1", SpecificCharacterSet="ISO_IR 192"),
    "the ID with what cannot be seen": case(SET_ASIDE, patient_id="P-\u200b1", SpecificCharacterSet="ISO_IR 192"),
    "the ID turned around": case(SET_ASIDE, patient_id="\u202eP-1", SpecificCharacterSet="ISO_IR 192"),
    "the ID with a control character": case(SET_ASIDE, patient_id="P-\x071"),
    "the ID and another": case(SET_ASIDE, patient_id="P-1\\P-2"),
    "another and the ID": case(SET_ASIDE, patient_id="P-2\\P-1"),
    "the ID and one of several more": case(SET_ASIDE, {"patient_id": "P-1\\P-2"}, patient_id="P-1\\P-3"),
    "the ID with a tail": case(SET_ASIDE, patient_id="P-10"),
    "the ID without its head": case(SET_ASIDE, patient_id="1"),
    "long IDs alike in what a list shows": case(
        SET_ASIDE, {"patient_id": "9" * 300 + "1"}, patient_id="9" * 300 + "2"
    ),
    "SQL's wildcard": case(SET_ASIDE, patient_id="P_1"),
    "another issuer": case(SET_ASIDE, IssuerOfPatientID="HOSPITAL-B"),
    "another issuer in another case": case(SET_ASIDE, IssuerOfPatientID="hospital-a"),
    "another issuer, no ID": case(SET_ASIDE, **{**NO_ID, "IssuerOfPatientID": "HOSPITAL-B"}),
    "a shared number: name and birth date": case(
        SET_ASIDE, {"patient_id": "0"}, patient_id="0", patient_name="Smith^Bob", PatientBirthDate="19500505"
    ),
    "a shared number: name and sex": case(
        SET_ASIDE, {"patient_id": "UNKNOWN"}, patient_id="UNKNOWN", patient_name="Smith^Bob", PatientSex="M"
    ),
    "a shared number: birth date and sex": case(
        SET_ASIDE, {"patient_id": "99999999"}, patient_id="99999999", PatientBirthDate="19500505", PatientSex="M"
    ),
    "a shared number: all three": case(
        SET_ASIDE, patient_name="Smith^Bob", PatientBirthDate="19500505", PatientSex="M"
    ),
    "no ID, another name": case(SET_ASIDE, **{**NO_ID, "patient_name": "Smith^Bob"}),
    "no ID, another given name": case(SET_ASIDE, **{**NO_ID, "patient_name": "Doe^John"}),
    "no ID, father and son": case(
        SET_ASIDE, {"patient_name": "Doe^Jane^^^Sr"}, **{**NO_ID, "patient_name": "Doe^Jane^^^Jr"}
    ),
    "no ID, another birth date": case(SET_ASIDE, **{**NO_ID, "PatientBirthDate": "19500505"}),
    "no ID, another sex": case(SET_ASIDE, **{**NO_ID, "PatientSex": "M"}),
    "no ID first, another name then": case(SET_ASIDE, NO_ID, patient_name="Smith^Bob"),
    "no ID on either side, another name": case(SET_ASIDE, NO_ID, **{**NO_ID, "patient_name": "Smith^Bob"}),
    "an ID of spaces only, another name": case(SET_ASIDE, patient_id="   ", patient_name="Smith^Bob"),
}  # fmt: skip


def film(number: int, study_uid: str = "1.2.3", **elements: Any) -> bytes:
    return films.film(study_uid, f"{study_uid}.1.{number}", **{**JANE, **elements})


def becomes(world: World, content: bytes) -> str:
    """What a film that is stored becomes."""
    marks = world.study().doubt
    try:
        world.store(content)
    except DataSetMismatch:
        return SET_ASIDE
    return JOINS if world.study().doubt is marks else MARKED


def wrong(name: str) -> list[str]:
    """What is not as the case says; empty: all of it is."""
    case, world = CASES[name], World()
    world.store(film(1, **case.kept, bright=0.1))
    world.step()
    facts, first = world.study().facts, films.digest(film(1, **case.kept, bright=0.1))
    second = film(2, **case.film, bright=0.2)
    found, study = becomes(world, second), world.study()
    world.step()
    after = world.study()
    expected = {
        JOINS: (2, None, Level.NOT_FLAGGED, None),
        MARKED: (2, Doubt.NAMES_DIFFER, Level.NOT_FLAGGED, None),
        SET_ASIDE: (1, Doubt.IDENTITY_CONFLICT, Level.NOT_ASSESSED, Reason.IDENTITY_CONFLICT),
    }[case.becomes]
    checks = {
        f"it {found}, not {case.becomes}": found == case.becomes,
        "the study is not what it should be": (after.images, after.doubt, after.network_level, after.reason) == expected,
        "the study took over the other patient": case.becomes != SET_ASIDE or after.facts == facts == study.facts,
        "a patient's facts are mixed": case.becomes != MARKED or _patient(after.facts) == _patient(facts),
        "the study is not completed": case.becomes != JOINS or _patient(after.facts) == _whole(facts, film(2, **case.film)),
        "the first film is gone": world.archive.is_intact(first),
        "the second film is gone": films.digest(second) in {*world.archive.digests(), *world.archive.digests_aside()},
        "the account does not add up": world.gaps() == {},
    }
    return [what for what, right in checks.items() if not right]


def _patient(facts: Facts) -> list[str | None]:
    return [getattr(facts, name) for name in identity.PATIENT]


def _whole(kept: Facts, content: bytes) -> list[str | None]:
    """The patient of a study, completed by a film that is surely the same patient's."""
    given = read_header(BytesIO(content)).facts
    return [mine or theirs for mine, theirs in zip(_patient(kept), _patient(given), strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_a_film_under_a_known_study_uid(name: str) -> None:
    assert wrong(name) == []


def test_a_study_that_names_nobody_does_not_take_in_two_patients() -> None:
    world = World()
    world.store(film(1, **NOBODY))
    world.store(film(2))
    with pytest.raises(DataSetMismatch):
        world.store(film(3, patient_id="P-2", patient_name="Smith^Bob", PatientBirthDate="19500505", PatientSex="M"))
    study = world.study()
    assert (study.images, study.doubt, study.facts.patient_name) == (2, Doubt.IDENTITY_CONFLICT, None)


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", size(list(IDENTITY)[::2], list(IDENTITY)))
def test_a_comparison_that_is_wrong_on_purpose_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    IDENTITY[name](monkeypatch)
    assert any(wrong(case) for case in CASES)


def test_what_a_study_is_known_by_follows_from_its_films_in_their_order() -> None:
    jane, named = Facts(patient_id="P-1", patient_name="Doe^Jane"), Facts(patient_id="P-1", patient_sex="F")
    other = Facts(patient_id="P-1", patient_name="Dough^Jane", accession_number="A-1")
    stranger = Facts(patient_id="P-2")
    assert identity.gathered([]) == (Facts(), identity.Likeness.SAME)
    assert identity.gathered([Facts()]) == (Facts(), identity.Likeness.SAME), "one film contradicts nobody"
    assert identity.gathered([jane, named]) == (replace(jane, patient_sex="F"), identity.Likeness.SAME)
    assert identity.gathered([jane, other]) == (replace(jane, accession_number="A-1"), identity.Likeness.UNSURE)
    assert identity.gathered([jane, stranger, other])[1] is identity.Likeness.OTHER
