"""The list as readers ask for it: both databases show exactly what the domain's words say, in that order."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain import make
from tests.unit.domain.make import NOW, POLICY
from triage.database.memory import MemoryDatabase
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.selection import RowFacts, Selection, Sort, Status, arranged, shows
from triage.domain.study import Reading, ReadingState, Study, begin, placed
from triage.domain.worklist import ranked
from triage.services.ports import Database

MINUTE = timedelta(minutes=1)
WORDS = ["okafor", "Müller", "straße", "100%", "a_b", "a\\b", "O'Neill", "МРТ", "山田", "%", "_", "\\", "ﬁ", "'"]
texts = st.none() | st.lists(st.sampled_from([*WORDS, "^", "=", " "]), max_size=4).map("".join)
levels = st.sampled_from(Level)


@st.composite
def studies(draw: st.DrawFn) -> list[Study]:
    """A few studies of any level, state and header, some of the same patient."""
    found = []
    for number in range(draw(st.integers(0, 7))):
        facts = Facts(
            patient_id=draw(st.none() | st.sampled_from(["7", "8", "MRN-1"])),
            issuer_of_patient_id=draw(st.none() | st.sampled_from(["A", "B"])),
            patient_name=draw(texts),
            accession_number=draw(texts),
            study_description=draw(texts),
        )
        study = begin(f"1.2.{number}", facts, NOW - draw(st.integers(0, 4)) * MINUTE, POLICY)
        level = draw(levels)
        if level in (Level.FLAGGED, Level.NOT_FLAGGED):
            study = replace(study, network_level=level, probability=0.5)
        elif level in (Level.NOT_ASSESSED, Level.OUT_OF_SCOPE):
            study = replace(study, network_level=level, reason=Reason.NO_IMAGE)
        state = draw(st.sampled_from(ReadingState))
        lease = NOW + draw(st.integers(-1, 1)) * MINUTE if state is ReadingState.CLAIMED and draw(st.booleans()) else None
        reader = None if state is ReadingState.UNREAD else draw(st.sampled_from(["anna", "bert"]))
        reading = Reading(state=state, reader=reader, lease_until=lease)
        found.append(placed(replace(study, stat=level is Level.STAT, reading=reading), POLICY))
    return found


selections = st.builds(
    Selection,
    levels=st.frozensets(levels, max_size=3),
    status=st.sampled_from(Status),
    within=st.none() | st.integers(0, 4).map(lambda minutes: minutes * MINUTE),
    text=st.lists(st.sampled_from([*WORDS, "OKAFOR", "MÜLLER", "STRASSE", "1.2.3", "mrn-1", "fi"]), max_size=2).map(" ".join),
    sort=st.sampled_from(Sort),
    descending=st.booleans(),
)


def filled(database: Database, found: list[Study]) -> Database:
    with database.write() as tx:
        for study in found:
            tx.put_study(study)
    return database


@settings(max_examples=60, deadline=None)
@given(found=studies(), asked=st.lists(selections, min_size=1, max_size=8), page=st.integers(1, 4))
def test_both_show_what_the_words_say(found: list[Study], asked: list[Selection], page: int) -> None:
    with tempfile.TemporaryDirectory() as folder, opened("sql", Path(folder)) as sql:
        for database in (filled(sql, found), filled(MemoryDatabase(), found)):
            with database.read() as tx:
                for selection in asked:
                    expected = arranged(selection, [one for one in found if shows(selection, one, "anna", NOW)])
                    shown = [tx.listed(selection, "anna", NOW, page, offset) for offset in range(0, len(found) + 1, page)]
                    assert [study for part in shown for study in part] == expected
                    assert tx.count_listed(selection, "anna", NOW) == len(expected)


@settings(max_examples=40, deadline=None)
@given(found=studies(), some=st.sets(st.integers(0, 6)))
def test_places_are_those_of_the_whole_list(found: list[Study], some: set[int]) -> None:
    asked = [study for number, study in enumerate(found) if number in some]
    unread = [study for study in found if study.reading.state is not ReadingState.READ]
    expected = {item.study.study_instance_uid: item.rank for item in ranked(unread) if item.study in asked}
    with tempfile.TemporaryDirectory() as folder, opened("sql", Path(folder)) as sql:
        for database in (filled(sql, found), filled(MemoryDatabase(), found)):
            with database.read() as tx:
                assert tx.places(asked) == expected


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        yield database


def test_rows_count_earlier_studies_of_exactly_this_patient(database: Database) -> None:
    def of(uid: str, patient: str | None, issuer: str | None, minutes: int) -> Study:
        return begin(uid, Facts(patient_id=patient, issuer_of_patient_id=issuer), NOW + minutes * MINUTE, POLICY)

    mine = of("1.2.9", "7", "A", 9)
    others = [of("1.2.1", "7", "A", 1), of("1.2.2", "7", "A", 2), of("1.2.3", "7", None, 3), of("1.2.4", "8", "A", 4)]
    nobody = [of("1.2.5", None, None, 5), of("1.2.6", None, None, 6)]
    filled(database, [mine, *others, *nobody, of("1.2.10", "7", "A", 10)])
    with database.write() as tx:
        tx.add_outcome(make.scored("1.2.9", 0.4))
    with database.read() as tx:
        assert tx.row_facts([mine, others[2], nobody[1]]) == {
            "1.2.9": RowFacts(priors=2, assessed_before=True),
            "1.2.3": RowFacts(priors=0, assessed_before=False),
            "1.2.6": RowFacts(priors=0, assessed_before=False),
        }
        assert tx.row_facts([]) == {}
