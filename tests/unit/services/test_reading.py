"""A step of reading is one transaction; of many readers exactly one wins."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

import triage.web
from tests.unit.database.stores import KINDS, opened
from tests.unit.domain import make
from tests.unit.domain.make import NOW, POLICY, Clock
from triage.domain.audit import Action
from triage.domain.errors import ReadingRefused, UnknownStudy
from triage.domain.reading import Step
from triage.domain.study import ReadingState, with_image, with_outcome
from triage.domain.verdict import Label, NoLabel, Verdict, label_of
from triage.services.ports import Database
from triage.services.reading import FIRST_LOOK, OTHER_WORDS, REASONS, next_to_read, take

UID = "1.2.3"


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        with database.write() as tx:
            tx.put_study(make.study(UID))
        yield database


def act(database: Database, action: Action, actor: str = "dr", clock: Clock | None = None, **more: object) -> None:
    take(database, UID, Step(action=action, actor=actor, **more), POLICY, clock or Clock())  # type: ignore[arg-type]


def written(database: Database) -> tuple[int, list[tuple[str, str]], int]:
    with database.read() as tx:
        return tx.revision(), [(one.actor, one.action) for one in tx.audit()], len(tx.readings(UID))


def test_a_step_writes_study_revision_and_audit(database: Database) -> None:
    revision, _, _ = written(database)
    act(database, Action.CLAIM)
    act(database, Action.READ, verdict=Verdict.AGREE, note="calcified node")
    assert written(database) == (revision + 2, [("dr", "claim"), ("dr", "read")], 1)
    with database.read() as tx:
        study = tx.study(UID)
        assert study
        assert study.reading.state is ReadingState.READ
        _, record = tx.audit()
        assert record.entry.at == NOW
        assert record.entry.subject == UID
        assert record.entry.details == {"verdict": "agree", "level": "pending"}
        (line,) = tx.readings(UID)
    assert (line.reader, line.verdict, line.note) == ("dr", Verdict.AGREE, "calcified node")


def test_unread_takes_the_reading_back_and_a_late_image_does_not(database: Database) -> None:
    clock = Clock()
    act(database, Action.READ, verdict=Verdict.DISAGREE)
    with database.write() as tx:
        study = tx.study(UID)
        assert study
        tx.put_study(with_image(study, POLICY))
    act(database, Action.READ, clock=clock)
    at = clock.forward(minutes=1)
    act(database, Action.UNREAD, "other", clock, reason="by mistake")
    with database.read() as tx:
        assert [(one.taken_back_at, one.taken_back_by) for one in tx.readings(UID)] == [(None, None), (at, "other")]


def test_a_takeover_says_from_whom(database: Database) -> None:
    act(database, Action.CLAIM)
    act(database, Action.TAKEOVER, "other")
    with database.read() as tx:
        assert tx.audit_head() is not None
        assert [one.entry.details.get("reader_before") for one in tx.audit()] == [None, "dr"]


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        *((reason, reason) for reason in REASONS),
        (" Marked  by mistake. ", "marked by mistake"),
        ("Mrs Grey, born 1950, has a fracture", OTHER_WORDS),
        ("marked by mistake: Mrs Grey", OTHER_WORDS),
    ],
)
def test_the_audit_keeps_no_words_of_a_reason_that_are_not_listed(database: Database, reason: str, kept: str) -> None:
    act(database, Action.READ)
    act(database, Action.UNREAD, reason=reason)
    with database.read() as tx:
        *_, record = tx.audit()
    assert record.entry.details["reason"] == kept
    assert "Grey" not in record.details


def test_the_dialog_offers_what_the_audit_keeps() -> None:
    dialog = (Path(triage.web.__file__).parent / "templates" / "fragments" / "reading_dialogs.html").read_text("utf-8")
    assert tuple(re.findall(r"<option>(.*?)</option>", dialog.partition('id="reasons"')[2])) == REASONS


def test_what_is_refused_or_changes_nothing_writes_nothing(database: Database) -> None:
    act(database, Action.CLAIM)
    before = written(database)
    for action in (Action.CLAIM, Action.RELEASE, Action.RENEW, Action.READ):
        with pytest.raises(ReadingRefused):
            act(database, action, "other")
    act(database, Action.CLAIM)  # again at the same moment
    act(database, Action.UNSTAT)
    with pytest.raises(UnknownStudy, match="triage worklist"):
        take(database, "9.9", Step(action=Action.CLAIM, actor="dr"), POLICY, Clock())
    assert written(database) == before


def test_an_audit_that_cannot_be_written_undoes_the_step(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(database)

    class Crash(Exception):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with database.read() as tx:
        monkeypatch.setattr(type(tx), "append_audit", crash)
    with pytest.raises(Crash):
        act(database, Action.READ)
    assert written(database) == before


def test_an_abandoned_claim_is_anybodys(database: Database) -> None:
    clock = Clock()
    act(database, Action.CLAIM, clock=clock)
    clock.forward(minutes=15)
    act(database, Action.CLAIM, "other", clock)
    with pytest.raises(ReadingRefused, match="other has been"):
        act(database, Action.READ, "dr", clock)


def test_a_late_image_keeps_who_read_before(database: Database) -> None:
    act(database, Action.READ, verdict=Verdict.AGREE)
    with database.write() as tx:
        study = tx.study(UID)
        assert study
        tx.put_study(with_image(study, POLICY))
    act(database, Action.READ, "other", verdict=Verdict.DISAGREE)
    with database.read() as tx:
        assert [(one.reader, one.verdict) for one in tx.readings(UID)] == [("dr", "agree"), ("other", "disagree")]


def test_a_verdict_labels_only_what_stood_when_it_was_given(database: Database) -> None:
    clock = Clock(NOW + timedelta(minutes=5))
    with database.write() as tx:
        tx.put_study(with_outcome(make.study(UID), make.scored(UID, 0.9), POLICY))
    act(database, Action.CLAIM, clock=clock)
    clock.forward(minutes=5)
    act(database, Action.READ, clock=clock, verdict=Verdict.AGREE)
    with database.read() as tx:
        study = tx.study(UID)
    assert study
    assert label_of(study) is Label.ABNORMAL
    again = with_outcome(study, make.scored(UID, 0.95, at=clock.now + timedelta(seconds=1), model=make.OTHER_MODEL), POLICY)
    assert label_of(again) is NoLabel.LATER


@pytest.mark.parametrize("action", [Action.CLAIM, Action.READ])
def test_of_two_hundred_readers_exactly_one_wins(database: Database, action: Action) -> None:
    start = threading.Barrier(200)

    def reader(number: int) -> bool:
        start.wait()
        try:
            act(database, action, f"dr {number}")
        except ReadingRefused:
            return False
        return True

    with ThreadPoolExecutor(200) as pool:
        won = [number for number, one in enumerate(pool.map(reader, range(200))) if one]
    assert len(won) == 1
    assert written(database)[1] == [(f"dr {won[0]}", action.value)]
    with database.read() as tx:
        study = tx.study(UID)
    assert study
    assert study.reading.reader == f"dr {won[0]}"


def test_the_next_study_goes_round_and_looks_behind_a_long_claimed_head(database: Database) -> None:
    far = FIRST_LOOK + 5
    with database.write() as tx:
        for place in range(far + 1):
            tx.put_study(make.study(f"1.3.{place}", NOW + timedelta(minutes=1 + place)))
    assert next_to_read(database, "dr", NOW) == UID
    assert next_to_read(database, "dr", NOW, UID) == "1.3.0"
    assert next_to_read(database, "dr", NOW, "1.3.0") == "1.3.1", "two studies that are passed over must not hide the rest"
    assert next_to_read(database, "dr", NOW, f"1.3.{far}") == UID
    for uid in (UID, *(f"1.3.{place}" for place in range(far))):
        take(database, uid, Step(action=Action.CLAIM, actor="other"), POLICY, Clock())
    assert next_to_read(database, "dr", NOW, UID) == f"1.3.{far}"
    assert next_to_read(database, "dr", NOW, f"1.3.{far}") is None
    assert next_to_read(database, "other", NOW, "9.9") == UID
