"""What the RIS says of an order, in whatever order it comes, and whom it concerns."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.make import FACTS, NOW, POLICY, studies, study
from triage.domain.audit import Action
from triage.domain.level import Level
from triage.domain.order import Bearing, PatientNumber, Statement, asks_for_stat, bearing, order_of, orders_of
from triage.domain.reading import LEASE, Step, taken
from triage.domain.study import Study, with_order

JANE, OTHER = PatientNumber("P-1"), PatientNumber("P-2")
OF_JANE = replace(FACTS, accession_number="A-17")


def said(minute: int = 0, **changes: object) -> Statement:
    plain = Statement(placer_order_number="PL", accession_number="A-17", patients=(JANE,), said_at=NOW)
    return replace(plain, said_at=NOW + timedelta(minutes=minute), **changes)  # type: ignore[arg-type]


PLACED, URGENT, ROUTINE, CANCELLED = said(0, placed=True), said(1, stat=True), said(2, stat=False), said(3, over=True)


@pytest.mark.parametrize(
    ("statements", "raises"),
    [
        ([PLACED], False),
        ([PLACED, URGENT], True),
        ([PLACED, URGENT, ROUTINE], False),
        ([PLACED, URGENT, CANCELLED], False),
        ([PLACED, URGENT, CANCELLED, said(4)], True),
        ([URGENT, replace(CANCELLED, patients=())], True),
        ([URGENT, replace(CANCELLED, patients=(OTHER,))], True),
        ([URGENT, replace(ROUTINE, patients=())], True),
        ([URGENT, replace(CANCELLED, patients=(PatientNumber("P-1", "HOSP"),))], False),
        ([replace(URGENT, patients=()), replace(CANCELLED, patients=())], False),
        ([PLACED, replace(URGENT, patients=(OTHER,))], False),
        ([PLACED, replace(URGENT, patients=())], True),
    ],
)
def test_what_was_said_together(statements: list[Statement], raises: bool) -> None:
    assert {order_of(some).raises for some in permutations(statements)} == {raises}


def test_said_at_the_same_moment_the_later_to_come_counts() -> None:
    assert not order_of([said(stat=True), said(over=True)]).raises
    assert order_of([said(over=True), said(stat=True)]).raises


@pytest.mark.parametrize(
    ("changes", "facts", "found"),
    [
        ({}, {}, Bearing.ITS_OWN),
        ({"accession_number": "A-18"}, {}, Bearing.NONE),
        ({"accession_number": None}, {"accession_number": None}, Bearing.NONE),
        ({"accession_number": None, "study_instance_uid": "1.2.3"}, {}, Bearing.ITS_OWN),
        ({"study_instance_uid": "1.9"}, {}, Bearing.ITS_OWN),
        ({"patients": (OTHER,)}, {}, Bearing.OTHER_PATIENT),
        ({"patients": (OTHER,), "study_instance_uid": "1.2.3"}, {}, Bearing.OTHER_PATIENT),
        ({"patients": (OTHER, JANE)}, {}, Bearing.ITS_OWN),
        ({"patients": ()}, {}, Bearing.ITS_OWN),
        ({}, {"patient_id": None}, Bearing.ITS_OWN),
        ({"patients": (PatientNumber("P-1", "A"),)}, {"issuer_of_patient_id": "A"}, Bearing.ITS_OWN),
        ({"patients": (PatientNumber("P-1", "A"),)}, {"issuer_of_patient_id": "B"}, Bearing.OTHER_PATIENT),
        ({"patients": (PatientNumber("p-1"),)}, {}, Bearing.OTHER_PATIENT),
    ],
)
def test_whom_an_order_concerns(changes: dict[str, object], facts: dict[str, object], found: Bearing) -> None:
    order = order_of([said(**changes)])
    assert bearing(order, "1.2.3", replace(OF_JANE, **facts)) is found


@pytest.mark.parametrize(
    ("statements", "raised"),
    [
        ([PLACED, replace(URGENT, patients=(OTHER,), accession_number="A-18")], {("A-18", "P-2")}),
        ([URGENT, replace(URGENT, patients=(OTHER,), accession_number="A-18")], {("A-17", "P-1"), ("A-18", "P-2")}),
        ([URGENT, replace(CANCELLED, patients=(OTHER,))], {("A-17", "P-1")}),
        ([URGENT, replace(CANCELLED, patients=())], {("A-17", "P-1")}),
        ([PLACED, URGENT, replace(PLACED, patients=(OTHER,)), CANCELLED], set()),
        ([replace(URGENT, patients=())], {("A-17", None)}),
    ],
)
def test_a_number_used_again_for_another_patient_is_another_order(
    statements: list[Statement], raised: set[tuple[str, str | None]]
) -> None:
    for some in permutations(statements):
        found = [one for one in orders_of(some) if one.raises]
        assert {(one.accession_number, one.patients[0].number if one.patients else None) for one in found} == raised


def test_orders_together() -> None:
    urgent, over = order_of([URGENT]), order_of([URGENT, CANCELLED])
    assert asks_for_stat([], "1.2.3", OF_JANE) is None
    assert asks_for_stat([order_of([PLACED])], "1.2.3", OF_JANE) is None
    assert asks_for_stat([urgent, over], "1.2.3", OF_JANE) is True
    assert asks_for_stat([over], "1.2.3", OF_JANE) is False
    assert asks_for_stat([urgent], "1.2.3", replace(OF_JANE, patient_id="P-2")) is False
    assert asks_for_stat([urgent], "1.2.3", replace(OF_JANE, accession_number="A-18")) is False


def test_the_key_is_the_first_number_that_there_is() -> None:
    one = said(filler_order_number="F", study_instance_uid="1.2")
    assert one.key == "placer:PL"
    assert replace(one, placer_order_number=None).key == "filler:F"
    assert replace(one, placer_order_number=None, filler_order_number=None).key == "accession:A-17"
    assert Statement(study_instance_uid="1.2", said_at=NOW).key == "study:1.2"


def by_person(study: Study, stat: bool) -> Study:
    return taken(study, Step(action=Action.STAT if stat else Action.UNSTAT, actor="dr"), NOW, LEASE, POLICY)


def test_the_ris_takes_back_what_the_ris_asked_for() -> None:
    begun = study()
    raised = with_order(begun, True, POLICY)
    assert raised.level is Level.STAT
    assert with_order(raised, False, POLICY) == begun


@pytest.mark.parametrize("first", [True, False])
def test_the_ris_never_takes_back_a_persons_stat(first: bool) -> None:
    person = by_person(study(), True)
    both = with_order(person, True, POLICY) if first else by_person(with_order(study(), True, POLICY), True)
    assert with_order(both, False, POLICY) == person


def test_a_person_who_takes_it_back_is_heard_until_the_ris_asks_anew() -> None:
    down = by_person(with_order(study(), True, POLICY), False)
    assert not down.stat
    assert with_order(down, True, POLICY) == down
    assert with_order(down, False, POLICY) == study()
    assert with_order(with_order(down, False, POLICY), True, POLICY).stat


@given(one=studies(), asked=st.lists(st.booleans() | st.sampled_from(["stat", "unstat"]), max_size=8))
def test_an_order_moves_nothing_but_stat_and_place(one: Study, asked: list[bool | str]) -> None:
    after, person = one, None
    for step in asked:
        if isinstance(step, bool):
            after = with_order(after, step, POLICY)
        elif one.reading.state.value != "read":
            person = step == "stat"
            after = by_person(after, person)
        assert after.told is None or after.ordered
        assert not (person and not after.stat and step in (True, False)), "the RIS lowered a person's STAT"
    moved = {"stat", "ordered", "told", "key", "head_start"}
    assert {name for name in Study.__dataclass_fields__ if getattr(after, name) != getattr(one, name)} <= moved
