"""Retention: never a study that is unread, undelivered, uncommitted or in doubt; broken off anywhere, nothing is lost."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.size import size
from tests.unit.database.stores import sql_database
from tests.unit.domain import make
from tests.unit.domain.make import MODEL, NOW, POLICY
from tests.unit.services.world import MovingDatabase, World
from triage.archive.files import FileArchive
from triage.archive.memory import MemoryArchive
from triage.domain.audit import Action
from triage.domain.delivery import Delivery, DeliveryState, Receipt
from triage.domain.doubt import Doubt
from triage.domain.errors import StorageFull
from triage.domain.instance import Decision
from triage.domain.level import Level
from triage.domain.reading import Step
from triage.domain.reason import Reason
from triage.domain.result import Result
from triage.domain.retention import End, Kept, kept
from triage.domain.study import Reading, ReadingState, Study
from triage.domain.verdict import Verdict
from triage.services import receive, retention
from triage.services.reading import take
from triage.services.retention import Policy, Retired, retire
from triage.services.verify import verify

YEAR = timedelta(days=365)
STATES = size(25_000, 1_000_000)


def some_study(chance: random.Random) -> Study:
    study = make.study("1.2.3", NOW - timedelta(days=chance.choice((1, 364, 366, 900))))
    level = chance.choice(list(Level)[1:])
    scored = level in (Level.FLAGGED, Level.NOT_FLAGGED)
    images = chance.choice((1, 2))
    since = None if chance.random() < 0.1 else NOW - timedelta(days=chance.choice((1, 364, 366, 900)))
    return replace(
        study,
        network_level=level,
        probability=0.5 if scored else None,
        reason=chance.choice((Reason.NO_MODEL, Reason.CANNOT_DECODE)) if level is Level.NOT_ASSESSED else None,
        images=images,
        images_covered=chance.choice((images, images - 1)) if scored else 0,
        stat=chance.random() < 0.1,
        doubt=chance.choice(list(Doubt)) if chance.random() < 0.1 else None,
        reading=Reading(state=chance.choices(list(ReadingState), (1, 1, 8))[0], reader="dr", since=since),
    )


def some_result(number: int) -> Result:
    at = NOW - timedelta(days=400)
    return Result(
        study_instance_uid="1.2.3",
        number=number,
        level=Level.FLAGGED,
        decided_at=at,
        facts=make.study().facts,
        images=(),
        probability=0.9,
        model=MODEL,
    )


def some_delivery(chance: random.Random, number: int, name: str) -> Delivery:
    state = chance.choices(list(DeliveryState), (1, 1, 12, 1, 4))[0]
    return Delivery(
        id=number,
        destination=name,
        study_instance_uid="1.2.3",
        number=number,
        state=state,
        created_at=NOW,
        not_before=NOW,
        committed=chance.choice((None, True, True, True, False)),
    )


def some_end(chance: random.Random) -> End:
    results = chance.choice((0, 1, 2))
    names = chance.choice(((), ("pacs",), ("pacs", "ris")))
    deliveries = [some_delivery(chance, number, name) for number in range(1, results + 1) for name in names]
    return End(
        study=some_study(chance),
        last_result=some_result(results) if results else None,
        deliveries=tuple(one for one in deliveries if chance.random() < 0.95),
        set_aside=chance.choice((0,) * 9 + (1,)),
        faulty=chance.choice((0,) * 9 + (1,)),
        last_word=chance.random() < 0.1,
        owed=chance.random() < 0.1,
        heard_by=tuple((name, NOW - timedelta(days=chance.choice((1, 900)))) for name in names),
        committing=chance.choice(((), ("pacs",))),
    )


def may_go(end: End) -> bool:
    """Said once more, in other words than the rules."""
    study, last = end.study, end.last_result
    if study.reading.state is not ReadingState.READ or study.reading.since is None:
        return False
    if min(NOW - study.reading.since, NOW - study.arrived_at) < YEAR:
        return False
    looked_at = study.reason is not Reason.NO_MODEL and (study.probability is None or study.images_covered >= study.images)
    if not looked_at or study.network_level is Level.PENDING or study.doubt:
        return False
    for one in end.deliveries:
        if one.state.value in ("waiting", "sending", "refused"):
            return False
        if one.state.value == "delivered" and one.destination in end.committing and not one.committed:
            return False
    for name, since in end.heard_by:
        if last is not None and since <= last.decided_at:
            sent = [one for one in end.deliveries if (one.destination, one.number) == (name, last.number)]
            if not sent:
                return False
    return not (end.set_aside or end.faulty or end.owed or end.last_word)


def test_no_state_goes_that_must_stay_and_none_stays_that_may_go() -> None:
    chance, found, wrong = random.Random(20261201), Counter[str](), 0
    for _ in range(STATES):
        end = some_end(chance)
        why = kept(end, YEAR, NOW)
        found[why.name if why else "gone"] += 1
        wrong += (why is None) != may_go(end)
    print(f"states {STATES}, wrong {wrong}: {dict(found)}")
    assert wrong == 0
    assert found["gone"] > STATES / 100
    assert set(found) == {"gone", *Kept.__members__}


class Ward(World):
    """A world with read studies in it."""

    policy = Policy(after=YEAR)

    def read_study(self, number: int) -> str:
        uid = f"1.2.{number}"
        assert self.store(films.film(uid, f"{uid}.1", patient_id=f"P{number}"))
        while self.step():
            pass
        step = Step(action=Action.READ, actor="dr", verdict=Verdict.AGREE)
        take(self.database, uid, step, POLICY, self.clock)
        return uid

    def retire(self, limit: int = 100, **more: Any) -> Retired:
        return retire(self.archive, self.database, more.pop("policy", self.policy), self.clock, limit, **more)

    def studies(self) -> list[str]:
        with self.database.read() as tx:
            return sorted(study.study_instance_uid for study in tx.worklist(include_read=True))


@pytest.fixture(params=["memory", "real"])
def ward(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ward]:
    if request.param == "memory":
        yield Ward(MemoryArchive(), MovingDatabase())
        return
    database = sql_database(tmp_path)
    yield Ward(FileArchive(tmp_path / "instances", 0), database)
    database.close()


def deliver(ward: Ward) -> None:
    """The PACS takes the next result."""
    with ward.database.write() as tx:
        delivery = tx.deliveries.claim("pacs", ward.clock(), ward.clock() + timedelta(minutes=1))
        assert delivery is not None
        tx.deliveries.delivered(delivery, Receipt(status="0000"), ward.clock())


def gaps(ward: Ward) -> list[object]:
    return list(verify(ward.archive, ward.database).gaps)


def test_what_was_read_long_ago_goes_with_its_films_and_the_audit_says_so(ward: Ward) -> None:
    old, last = ward.read_study(1), ward.read_study(2)
    ward.clock.forward(days=366)
    young = ward.read_study(3)
    assert ward.retire(dry_run=True).studies == [old, last]
    assert ward.studies() == [old, last, young]
    done = ward.retire()
    assert (done.studies, done.films) == ([old, last], 2)
    assert ward.studies() == [young]
    assert len(list(ward.archive.digests())) == 1
    assert not list(ward.archive.digests_aside())
    assert gaps(ward) == []
    with ward.database.read() as tx:
        assert [one.subject for one in tx.audit() if one.action == Action.RETENTION] == [old, last]
        assert tx.readings(old) == tx.outcomes(old) == tx.instances(old) == []
        assert tx.jobs.state_of(old) is None


def test_what_nobody_has_read_stays_however_old_it_is(ward: Ward) -> None:
    assert ward.store(films.film("1.2.1", "1.2.1.1"))
    while ward.step():
        pass
    ward.clock.forward(days=10_000)
    assert ward.retire().studies == []
    assert ward.studies() == ["1.2.1"]


def test_what_has_not_arrived_everywhere_stays_until_it_has(ward: Ward) -> None:
    with ward.database.write() as tx:
        tx.deliveries.register(["pacs"], ward.clock())
    uid = ward.read_study(1)
    ward.read_study(2)
    ward.clock.forward(days=366)
    ward.read_study(3)
    policy = Policy(after=YEAR, destinations=["pacs"])
    assert ward.retire(policy=policy).stayed[uid] == Kept.UNDELIVERED.value  # not even spread
    with ward.database.write() as tx:
        tx.deliveries.fan_out("pacs", ward.clock(), 10)
    assert ward.retire(policy=policy).stayed[uid] == Kept.UNDELIVERED.value
    deliver(ward)
    assert ward.retire(policy=policy).studies == [uid]


def test_the_last_result_of_all_stays_so_that_the_next_has_a_number_of_its_own(ward: Ward) -> None:
    with ward.database.write() as tx:
        tx.deliveries.register(["pacs"], ward.clock())
    ward.read_study(1)
    with ward.database.write() as tx:
        tx.deliveries.fan_out("pacs", ward.clock(), 10)
    deliver(ward)
    ward.clock.forward(days=366)
    assert ward.retire().stayed == {"1.2.1": Kept.LAST_WORD.value}
    ward.read_study(2)
    assert ward.retire().studies == ["1.2.1"]
    with ward.database.write() as tx:
        assert tx.deliveries.fan_out("pacs", ward.clock(), 10) == 1  # the later one is heard of


@pytest.mark.parametrize("at", ["set_aside", "drop_aside"])
def test_broken_off_between_rows_and_films_the_next_start_ends_it(ward: Ward, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = ward.read_study(1)
    ward.read_study(2)
    ward.clock.forward(days=366)
    ward.read_study(3)

    def killed(digest: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ward.archive, at, killed)
        with pytest.raises(KeyboardInterrupt):
            ward.retire(limit=1)
    assert uid not in ward.studies()
    report = ward.reconcile()
    assert not report.adopted
    assert len(report.discarded) == 1
    assert gaps(ward) == []
    assert uid not in ward.studies()


def test_a_film_that_comes_again_begins_a_new_study(ward: Ward) -> None:
    uid = ward.read_study(1)
    ward.read_study(2)
    ward.clock.forward(days=366)
    ward.read_study(3)
    assert uid in ward.retire().studies
    assert ward.store(films.film(uid, f"{uid}.1", patient_id="P1"))
    ward.reconcile()
    with ward.database.read() as tx:
        study = tx.study(uid)
        assert study is not None
        assert (study.reading.state, study.network_level) == (ReadingState.UNREAD, Level.PENDING)
        row = tx.quarantined_object(tx.instances(uid)[0].digest)
        assert row is not None
        assert row.decision is Decision.DISCARDED
    assert gaps(ward) == []


def test_only_so_many_go_at_once(ward: Ward) -> None:
    for number in range(1, 6):
        ward.read_study(number)
    ward.clock.forward(days=366)
    ward.read_study(9)
    first = ward.retire(limit=2)
    assert (len(first.studies), first.more) == (2, True)
    assert (len(ward.retire(limit=3).studies), ward.retire(limit=3).more) == (3, False)


@pytest.mark.parametrize("where", ["between rows and file", "between file and row"])
def test_a_film_that_comes_again_at_that_moment_is_there_or_refused(
    ward: Ward, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = ward.read_study(1)
    ward.read_study(2)
    ward.clock.forward(days=366)
    ward.read_study(3)
    again = films.film(uid, f"{uid}.1", patient_id="P1")
    acknowledged: list[bool] = []

    def sent_again() -> None:
        try:
            acknowledged.append(ward.store(again) is not None)
        except StorageFull:
            acknowledged.append(False)

    if where == "between rows and file":
        true = retention._remove

        def remove(archive: Any, database: Any, digest: str) -> None:
            if not acknowledged:
                sent_again()
            true(archive, database, digest)

        monkeypatch.setattr(retention, "_remove", remove)
        ward.retire(limit=1)
    else:
        adopt = receive.adopt

        def late(*arguments: Any, **named: Any) -> Any:
            ward.retire(limit=1)
            return adopt(*arguments, **named)

        monkeypatch.setattr(receive, "adopt", late)
        sent_again()
    assert acknowledged == [where == "between rows and file"]
    assert gaps(ward) == []
    with ward.database.read() as tx:
        assert all(ward.archive.holds(one.digest) for one in tx.all_instances())
