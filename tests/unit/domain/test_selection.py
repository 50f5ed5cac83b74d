"""What a reader wants to see for the moment: filters, words, another order; the list's own order is never lost."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.make import NOW, POLICY
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.selection import MOST_WORDS, Selection, Sort, Status, arranged, search_text, shows
from triage.domain.study import Reading, ReadingState, Study, begin, placed
from triage.domain.worklist import order

FACTS = Facts(
    patient_name="Müller-Straße^Änne^^Dr=山田^花子",
    patient_id="MRN-0047",
    accession_number="A_1%",
    study_description="Thorax p.a.",
)


def study(uid: str = "1.2.3", minutes: int = 0, facts: Facts = FACTS, **changes: object) -> Study:
    return placed(replace(begin(uid, facts, NOW - timedelta(minutes=minutes), POLICY), **changes), POLICY)  # type: ignore[arg-type]


def found(text: str, facts: Facts = FACTS) -> bool:
    return shows(Selection(text=text), study(facts=facts), "anna", NOW)


@pytest.mark.parametrize(
    "text",
    [
        "müller",
        "MÜLLER",
        "Müller-Straße, Änne",
        "müller,mrn",
        "mu\u0308ller",
        "strasse",
        "änne mrn",
        "0047 thorax",
        "山田",
        "a_1%",
        "1.2.3",
        "",
        "  ",
        "Dr",
    ],
)
def test_words_find_name_numbers_exam_and_uid(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", ["muller", "anna", "a%1", "mrn-0047x", "thorax lateral", "^", "_47", "1.2.4"])
def test_what_does_not_occur_finds_nothing(text: str) -> None:
    assert not found(text)


def test_a_search_is_bounded() -> None:
    assert len(Selection(text="a " * 1000).words) == MOST_WORDS
    assert max(len(word) for word in Selection(text="x" * 9999).words) == 64


def test_what_cannot_be_stored_is_still_searched() -> None:
    assert found("jane", Facts(patient_name="\ud800^Jane"))
    assert search_text("1.2", Facts()) == "1.2"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.WAITING, {"free", "lapsed", "mine", "others"}),
        (Status.FREE, {"free", "lapsed"}),
        (Status.CLAIMED, {"mine", "others"}),
        (Status.MINE, {"mine"}),
        (Status.READ, {"read"}),
        (Status.ALL, {"free", "lapsed", "mine", "others", "read"}),
    ],
)
def test_states_of_reading(status: Status, expected: set[str]) -> None:
    minute = timedelta(minutes=1)

    def claimed(reader: str, lease: timedelta) -> Reading:
        return Reading(state=ReadingState.CLAIMED, reader=reader, since=NOW, lease_until=NOW + lease)

    readings = {
        "free": Reading(),
        "lapsed": claimed("anna", -minute),
        "mine": claimed("anna", minute),
        "others": claimed("bert", minute),
        "read": Reading(state=ReadingState.READ, reader="anna"),
    }
    selection = Selection(status=status)
    shown = {name for name, reading in readings.items() if shows(selection, study(reading=reading), "anna", NOW)}
    assert shown == expected


def test_levels_and_time() -> None:
    assert shows(Selection(levels=frozenset({Level.PENDING})), study(), None, NOW)
    assert not shows(Selection(levels=frozenset({Level.STAT})), study(), None, NOW)
    assert shows(Selection(levels=frozenset({Level.STAT})), study(stat=True), None, NOW)
    assert shows(Selection(within=timedelta(minutes=5)), study(minutes=5), None, NOW)
    assert not shows(Selection(within=timedelta(minutes=5)), study(minutes=6), None, NOW)


rows = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["A", "B", None]), st.booleans()), max_size=8)


@given(rows, st.sampled_from(Sort), st.booleans())
def test_every_sort_is_total_and_ends_in_the_reading_order(given_rows: list[Any], sort: Sort, descending: bool) -> None:
    studies = [
        study(f"1.2.{number}", minutes, Facts(patient_name=name, patient_id=name, study_description=name), stat=stat)
        for number, (minutes, name, stat) in enumerate(given_rows)
    ]
    listed = arranged(Selection(sort=sort, descending=descending), studies)
    in_order = sorted(studies, key=order)
    assert sorted(listed, key=order) == in_order
    assert arranged(Selection(sort=sort, descending=descending), studies[::-1]) == listed
    if sort is Sort.PATIENT:  # among the same name the list's own order holds, in both directions
        names = [one.facts.patient_name or "" for one in listed]
        assert names == sorted(names, reverse=descending)
        assert listed == [one for name in dict.fromkeys(names) for one in in_order if name == (one.facts.patient_name or "")]


def test_a_selection_knows_whether_it_leaves_anything_out() -> None:
    assert Selection().is_whole
    assert Selection().is_reading_order
    assert Selection(text="   ").is_whole
    for part in (
        Selection(text="x"),
        Selection(levels=frozenset({Level.STAT})),
        Selection(within=timedelta(1)),
        Selection(status=Status.FREE),
    ):
        assert not part.is_whole
    assert not Selection(sort=Sort.PATIENT).is_reading_order
    assert not Selection(descending=True).is_reading_order
