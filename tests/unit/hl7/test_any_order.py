"""Orders, their changes, films and assessments come in any order: the row is the same."""

import time
from dataclasses import replace
from functools import partial
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import films
from tests.unit.domain.make import NOW, POLICY
from tests.unit.hl7.messages import order
from tests.unit.services.world import World
from triage.domain.audit import Action
from triage.domain.level import Level
from triage.domain.reading import Step
from triage.domain.study import Study
from triage.hl7.desk import Desk
from triage.services.orders import MOST_ALIKE, RIS, take_orders
from triage.services.reading import take
from triage.services.verify import verify

MESSAGES = {
    "STAT": {"control": "NW", "priority": "S", "after": 1},
    "routine": {"control": "NW", "priority": "R", "after": 1},
    "raised": {"control": "XO", "priority": "S", "after": 2},
    "lowered": {"control": "XO", "priority": "R", "after": 3},
    "cancelled": {"control": "CA", "priority": None, "after": 4},
    "of another patient": {"control": "NW", "priority": "S", "after": 1, "patient": "P-2^^^HOSP", "placer": "PL-2"},
    "its number, used before": {"control": "NW", "priority": "R", "after": 0, "patient": "P-2^^^HOSP", "accession": "ACC-8"},
    "cancelled for another": {"control": "CA", "priority": None, "after": 5, "patient": "P-2^^^HOSP"},
    "cancelled without a patient": {"control": "CA", "priority": None, "after": 5, "patient": None},
    "a second STAT": {"control": "NW", "priority": "S", "after": 6, "placer": "PL-3"},
    "its second procedure": {"control": "NW", "priority": "R", "after": 2, "accession": "ACC-9"},
    "the second procedure cancelled": {"control": "CA", "priority": None, "after": 4, "accession": "ACC-9"},
    "all of it cancelled": {"control": "CA", "priority": None, "after": 5, "accession": None},
    "by another number": {"control": "NW", "priority": "S", "after": 1, "accession": "ACC-9", "placer": "PL-4"},
    "moved to another number": {"control": "XO", "priority": None, "after": 7, "accession": "ACC-9"},
    "by UID": {"control": "NW", "priority": "S", "after": 1, "accession": None, "uid": "1.2.3"},
}
FILMS = {
    "film": films.film("1.2.3", "1.2.3.1.1", rows=64, columns=64),
    "second film": films.film("1.2.3", "1.2.3.1.2", rows=64, columns=64, bright=0.9),
    "film without number": films.film("1.2.3", "1.2.3.1.1", rows=64, columns=64, accession_number=None),
}


class Hospital(World):
    """A site with a desk for orders; its clock stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(partial(take_orders, self.database, head_starts=POLICY, clock=self.clock), self.clock)

    def hear(self, content: bytes) -> bytes:
        return self.desk.answer(content, "127.0.0.1")

    def do(self, event: str) -> None:
        if event == "assessment":
            self.step()
        elif event in FILMS:
            self.store(FILMS[event])
        else:
            assert b"MSA|AA|" in self.hear(order(**{"accession": "ACC-1", **MESSAGES[event]}))

    def after(self, *events: str) -> Study:
        for event in events:
            self.do(event)
        while self.step():
            pass
        return self.study()

    def audited(self, *actions: Action) -> list[str]:
        with self.database.read() as tx:
            return [one.action for one in tx.audit() if one.actor == RIS and (not actions or one.action in actions)]


@pytest.mark.parametrize(
    ("events", "level"),
    [
        (("STAT", "film", "second film", "lowered"), Level.FLAGGED),
        (("STAT", "film", "second film", "cancelled"), Level.FLAGGED),
        (("routine", "film", "raised", "assessment"), Level.STAT),
        (("by UID", "film without number", "second film", "raised"), Level.STAT),
        (("STAT", "film", "cancelled", "a second STAT"), Level.STAT),
        (("STAT", "film without number", "second film", "cancelled for another"), Level.STAT),
        (("STAT", "film", "cancelled without a patient", "assessment"), Level.STAT),
        (("of another patient", "by another number", "film", "assessment"), Level.NOT_FLAGGED),
        (("its number, used before", "STAT", "film", "assessment"), Level.STAT),
        (("STAT", "its second procedure", "film", "assessment"), Level.STAT),
        (("STAT", "its second procedure", "the second procedure cancelled", "film"), Level.STAT),
        (("STAT", "its second procedure", "all of it cancelled", "film"), Level.NOT_FLAGGED),
        (("STAT", "its second procedure", "moved to another number", "film"), Level.STAT),
        (("STAT", "moved to another number", "film", "assessment"), Level.NOT_FLAGGED),
    ],
)
def test_every_permutation_gives_the_same_row(events: tuple[str, ...], level: Level) -> None:
    rows = {Hospital().after(*some) for some in permutations(events)}
    assert len(rows) == 1
    assert rows.pop().level is level


SIX = ("STAT", "film", "second film", "lowered", "cancelled", "assessment")
IN_LINE = (("STAT", "lowered", "cancelled"), ("film", "second film"))
"""What one sender sends stays in its order, save when it is sent again: that is what `make soak` does to it."""


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["interleavings", "permutations"])
def test_order_films_update_cancel_and_assessment_in_any_order(every: bool) -> None:
    began = time.monotonic()
    some = [
        one
        for one in permutations(SIX)
        if every or all(one.index(a) < one.index(b) for line in IN_LINE for a, b in pairwise(line))
    ]
    rows = {Hospital().after(*one) for one in some}
    print(f"\n{len(some)} orders of {SIX}: {len(rows)} row, {time.monotonic() - began:.1f} s")
    assert len(rows) == 1


@given(
    events=st.lists(st.sampled_from([*MESSAGES, "film", "second film", "assessment"]), unique=True, max_size=9), data=st.data()
)
@settings(max_examples=40, deadline=None)
def test_any_events_in_any_order(events: list[str], data: st.DataObject) -> None:
    events.append("film without number" if "film" not in events else "assessment")
    other = data.draw(st.permutations(events))
    assert Hospital().after(*events) == Hospital().after(*other)


def test_what_an_order_does_is_audited_and_the_list_hears_of_it() -> None:
    site = Hospital()
    site.after("film")
    with site.database.read() as tx:
        revision = tx.revision()
    site.do("STAT")
    with site.database.read() as tx:
        assert tx.revision() == revision + 1
    site.do("cancelled")
    assert site.audited() == ["stat", "unstat"]
    assert verify(site.archive, site.database).ok


def test_an_order_before_its_film_is_audited_when_the_film_comes() -> None:
    site = Hospital()
    site.do("STAT")
    assert site.audited() == []
    site.after("film", "second film")
    assert site.audited() == ["stat"]


def test_another_patients_order_is_noted_once_and_moves_nothing() -> None:
    site = Hospital()
    before = site.after("of another patient", "film", "second film")
    assert before.level is not Level.STAT
    site.hear(order(accession="ACC-1", patient="P-2", after=9, placer="PL-2", control="XO"))
    assert site.audited() == ["order"]
    assert site.study() == before


def test_a_number_that_everybody_bears_raises_its_patient_and_looks_at_nobody_else() -> None:
    site = Hospital()
    site.after("film")
    with site.database.write() as tx:
        one = site.study()
        for number in range(MOST_ALIKE + 1):
            facts = replace(one.facts, patient_id=f"Q-{number}")
            tx.put_study(replace(one, study_instance_uid=f"1.9.{number}", facts=facts))
    site.hear(order(accession="ACC-1", patient="P-1^^^HOSP", after=1, control="NW", priority="S"))
    assert site.study().level is Level.STAT
    assert site.audited() == ["stat"], "not a record for each of the others"


def test_repeats_have_one_effect() -> None:
    site = Hospital()
    site.after("film")
    same = order(accession="ACC-1", number="C1")
    again = same.replace(b"|C1|", b"|C2|")
    for content in (same, same, again, same):
        assert b"MSA|AA|" in site.hear(content)
    assert site.audited() == ["stat"]
    with site.database.read() as tx:
        assert len(tx.orders.of("placer:PL-1^HIS")) == 1


def test_a_control_id_used_again_for_something_else_is_no_repeat() -> None:
    site = Hospital()
    site.hear(order(accession="ACC-1", number="1", priority="R"))
    site.hear(order(accession="ACC-1", number="1", priority="S", control="XO", after=1))
    assert site.after("film").level is Level.STAT


def test_the_ris_never_lowers_what_a_radiologist_raised() -> None:
    site = Hospital()
    site.after("film")
    take(site.database, "1.2.3", Step(action=Action.STAT, actor="dr"), POLICY, site.clock)
    for event in ("STAT", "lowered", "cancelled"):
        site.do(event)
        assert site.study().level is Level.STAT
    assert site.audited() == []


def test_a_study_that_was_read_comes_back_at_stat_with_its_next_film() -> None:
    site = Hospital()
    site.after("film")
    take(site.database, "1.2.3", Step(action=Action.READ, actor="dr"), POLICY, site.clock)
    site.do("STAT")
    assert site.list() == []
    assert site.after("second film").level is Level.STAT
    assert site.list() == ["1.2.3"]


def test_what_is_forgotten_lowers_nothing() -> None:
    site = Hospital()
    site.after("STAT", "film")
    with site.database.write() as tx:
        assert tx.orders.forget(site.clock.forward(days=91)) == 1
    site.do("routine")
    assert site.after("second film").level is Level.STAT


def test_nothing_of_it_is_kept_when_the_database_is_away() -> None:
    site = Hospital()
    site.after("film")
    site.database.down = True  # type: ignore[union-attr]
    content = order(accession="ACC-1")
    answer = site.hear(content)
    assert b"MSA|AE|" in answer
    assert b"|207^" in answer
    site.database.down = False  # type: ignore[union-attr]
    assert b"MSA|AA|" in site.hear(content)
    assert site.study().level is Level.STAT
    assert site.clock() == NOW
