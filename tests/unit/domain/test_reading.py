"""The steps of reading: the table is whole, and any sequence of steps does what a simple model says."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.domain import make
from tests.unit.domain.make import NOW, POLICY
from triage.domain.audit import Action
from triage.domain.doubt import Doubt
from triage.domain.errors import ReadingInvalid, ReadingRefused
from triage.domain.level import Level
from triage.domain.reading import LEASE, STEPS, TEXT_MAX, Refusal, Standing, Step, as_of, finished, standing, taken
from triage.domain.study import Reading, ReadingState, Study, with_image
from triage.domain.verdict import Verdict
from triage.domain.worklist import order

SECOND = timedelta(seconds=1)
HELD = Reading(state=ReadingState.CLAIMED, reader="dr", since=NOW, lease_until=NOW + LEASE)
DONE = Reading(state=ReadingState.READ, reader="dr", since=NOW, verdict="agree", verdict_at=NOW)


def step(action: Action, actor: str = "dr", **more: object) -> Step:
    return Step(action=action, actor=actor, **({"reason": "oops"} if action is Action.UNREAD else {}), **more)  # type: ignore[arg-type]


def do(study: Study, action: Action, actor: str = "dr", at: datetime = NOW, **more: object) -> Study:
    return taken(study, step(action, actor, **more), at, LEASE, POLICY)


def test_the_table_says_something_for_every_action_and_standing() -> None:
    assert all(set(row) == set(Standing) for row in STEPS.values())
    assert set(STEPS) == {
        Action.CLAIM, Action.RELEASE, Action.TAKEOVER, Action.RENEW, Action.READ, Action.UNREAD, Action.STAT, Action.UNSTAT,
    }  # fmt: skip


def test_every_refusal_is_used_and_says_what_to_do() -> None:
    in_table = {cell for row in STEPS.values() for cell in row.values() if isinstance(cell, Refusal)}
    assert in_table | {Refusal.NETWORK_CHANGED, Refusal.IMAGES_CHANGED, Refusal.DOUBT_CHANGED} == set(Refusal)


@pytest.mark.parametrize("had_said", Level)
@pytest.mark.parametrize("verdict", [*Verdict, None])
def test_a_verdict_about_another_result_is_refused(had_said: Level, verdict: Verdict | None) -> None:
    study = make.study()  # the network is still analysing
    if had_said is study.network_level:
        assert do(study, Action.READ, verdict=verdict, network_level=had_said).reading.state is ReadingState.READ
        return
    with pytest.raises(ReadingRefused, match="says something else now") as refused:
        do(study, Action.READ, verdict=verdict, network_level=had_said)
    assert (refused.value.refusal, refused.value.holder, refused.value.since) == ("network_changed", None, None)


@pytest.mark.parametrize("level", [Level.PENDING, Level.FLAGGED, Level.NOT_FLAGGED])
@pytest.mark.parametrize("more", [1, 2])
def test_a_verdict_about_fewer_images_is_refused(level: Level, more: int) -> None:
    study = replace(make.study(), network_level=level, images=1 + more)
    with pytest.raises(ReadingRefused, match=rf"^\+{more} images? arrived; look at (it|them) first$") as refused:
        do(study, Action.READ, network_level=level, images=1)
    assert refused.value.refusal == "images_changed"
    assert do(study, Action.READ, network_level=level, images=1 + more).reading.state is ReadingState.READ


def test_a_verdict_about_another_assessment_of_the_same_level_is_refused() -> None:
    study = replace(make.study(), network_level=Level.NOT_FLAGGED, probability=0.1, assessed_at=NOW)
    with pytest.raises(ReadingRefused, match="says something else now") as refused:
        do(study, Action.READ, network_level=Level.NOT_FLAGGED, images=study.images, assessed_at=NOW - SECOND)
    assert refused.value.refusal == "network_changed"
    assert do(study, Action.READ, assessed_at=NOW).reading.state is ReadingState.READ


@pytest.mark.parametrize("seen", ["", "names_differ"])
def test_a_verdict_given_before_a_mark_was_set_is_refused(seen: str) -> None:
    study = replace(make.study(), network_level=Level.FLAGGED, probability=0.9, doubt=Doubt.IDENTITY_CONFLICT)
    with pytest.raises(ReadingRefused, match="identity conflict; look at it first") as refused:
        do(study, Action.READ, doubt=seen)
    assert refused.value.refusal == "doubt_changed"
    for known in ("identity_conflict", None):
        assert do(study, Action.READ, doubt=known).reading.state is ReadingState.READ


@pytest.mark.parametrize(
    ("reading", "at", "actor", "expected"),
    [
        (Reading(), NOW, "dr", Standing.FREE),
        (HELD, NOW, "dr", Standing.MINE),
        (HELD, NOW, "other", Standing.OTHERS),
        (HELD, NOW + LEASE - timedelta(microseconds=1), "other", Standing.OTHERS),
        (HELD, NOW + LEASE, "other", Standing.FREE),
        (HELD, NOW + LEASE, "dr", Standing.FREE),
        (DONE, NOW + 9 * LEASE, "dr", Standing.READ),
    ],
)
def test_where_a_study_stands(reading: Reading, at: datetime, actor: str, expected: Standing) -> None:
    assert standing(reading, actor, at) is expected


def test_a_conflict_says_who_holds_it_since_when() -> None:
    with pytest.raises(ReadingRefused, match=r"dr has been reading it since 2026-03-02T08:00\+00:00; take it over") as caught:
        do(replace(make.study(), reading=HELD), Action.CLAIM, "other")
    assert (caught.value.holder, caught.value.since) == ("dr", NOW)


def test_a_takeover_begins_anew_and_the_first_reader_has_lost_it() -> None:
    later = NOW + SECOND
    over = do(replace(make.study(), reading=HELD), Action.TAKEOVER, "other", later)
    assert over.reading == Reading(state=ReadingState.CLAIMED, reader="other", since=later, lease_until=later + LEASE)
    for action in (Action.RENEW, Action.RELEASE, Action.READ, Action.CLAIM):
        with pytest.raises(ReadingRefused, match="other has been reading"):
            do(over, action, "dr", later)


def test_a_renewal_extends_and_keeps_the_beginning() -> None:
    study = do(replace(make.study(), reading=HELD), Action.RENEW, at=NOW + LEASE - SECOND)
    assert (study.reading.since, study.reading.lease_until) == (NOW, NOW + 2 * LEASE - SECOND)
    with pytest.raises(ReadingRefused, match="claim it again"):
        do(study, Action.RENEW, at=NOW + 2 * LEASE)


def test_a_clock_set_back_does_not_shorten_a_claim() -> None:
    assert do(replace(make.study(), reading=HELD), Action.RENEW, at=NOW - LEASE).reading.lease_until == NOW + LEASE


def test_a_lease_that_ran_out_leaves_no_trace_in_the_next_claim() -> None:
    at = NOW + LEASE
    again = do(replace(make.study(), reading=HELD), Action.CLAIM, at=at)
    assert again.reading.since == at


def test_a_verdict_has_its_own_time_and_a_line_in_the_history() -> None:
    study = replace(make.study(), reading=HELD)
    at = NOW + 5 * SECOND
    read = do(study, Action.READ, at=at, verdict=Verdict.DISAGREE, note="rib")
    assert read.reading == Reading(state=ReadingState.READ, reader="dr", since=at, verdict="disagree", verdict_at=at)
    line = finished(read, "rib")
    assert (line.reader, line.read_at, line.verdict, line.note) == ("dr", at, Verdict.DISAGREE, "rib")
    assert line.network_level is Level.PENDING
    silent = do(study, Action.READ, at=at).reading
    assert (silent.verdict, silent.verdict_at, silent.since) == (None, None, at)


def test_unread_again_forgets_the_verdict() -> None:
    assert do(replace(make.study(), reading=DONE), Action.UNREAD, "other").reading == Reading()


def test_a_late_image_brings_a_read_study_back_and_leaves_a_claim_alone() -> None:
    assert with_image(replace(make.study(), reading=DONE), POLICY).reading == Reading()
    assert with_image(replace(make.study(), reading=HELD), POLICY).reading == HELD


def test_stat_and_back_by_policy() -> None:
    study = make.study()
    urgent = do(study, Action.STAT)
    assert (urgent.level, urgent.head_start, urgent.key) == (Level.STAT, POLICY.stat, study.arrived_at - POLICY.stat)
    assert do(urgent, Action.STAT, "other") == urgent
    assert do(urgent, Action.UNSTAT) == study
    assert do(replace(study, reading=HELD), Action.STAT, "other").reading == HELD
    with pytest.raises(ReadingRefused, match="read it already"):
        do(replace(study, reading=DONE), Action.STAT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": Action.VIEW},
        {"actor": " "},
        {"actor": ""},
        {"actor": "a\nb"},
        {"actor": "a" * 200},
        {"note": "x"},
        {"verdict": Verdict.AGREE},
        {"network_level": Level.FLAGGED},
        {"images": 1},
        {"assessed_at": NOW},
        {"action": Action.UNREAD},
        {"action": Action.UNREAD, "reason": " "},
        {"action": Action.READ, "note": "x" * (TEXT_MAX + 1)},
        {"action": Action.READ, "note": "\ud800"},
    ],
)
def test_a_step_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ReadingInvalid):
        Step(**{"action": Action.CLAIM, "actor": "dr", **wrong})  # type: ignore[arg-type]


@given(make.studies(), st.sampled_from(list(STEPS)), st.sampled_from(["dr", "other"]))
def test_only_stat_moves_a_study(study: Study, action: Action, actor: str) -> None:
    try:
        after = do(study, action, actor)
    except ReadingRefused:
        return
    if action not in (Action.STAT, Action.UNSTAT):
        assert order(after) == order(study)
        assert after.level is study.level
    else:
        assert after.reading == study.reading


class Room(RuleBasedStateMachine):
    """Three readers, one study. The model: who holds it until when, whether it is read, whether it is STAT."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.study = make.study()
        self.holder: str | None = None
        self.until = NOW
        self.done = False
        self.stat = False

    @rule(seconds=st.integers(0, 1200))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def image(self) -> None:
        self.study = with_image(self.study, POLICY)
        self.done = False

    @rule(action=st.sampled_from(list(STEPS)), actor=st.sampled_from("abc"))
    def act(self, action: Action, actor: str) -> None:
        held = self.holder if self.holder and self.now < self.until else None
        if action is Action.UNREAD:
            allowed = self.done
        elif self.done:
            allowed = False
        elif action in (Action.STAT, Action.UNSTAT, Action.TAKEOVER):
            allowed = True
        elif action is Action.RENEW:
            allowed = held == actor
        else:
            allowed = held in (None, actor)
        try:
            self.study = do(self.study, action, actor, self.now)
        except ReadingRefused:
            assert not allowed
            return
        assert allowed
        if action in (Action.CLAIM, Action.TAKEOVER, Action.RENEW):
            self.holder, self.until = actor, self.now + LEASE
        elif action in (Action.RELEASE, Action.READ, Action.UNREAD):
            self.holder, self.done = None, action is Action.READ
        else:
            self.stat = action is Action.STAT

    @invariant()
    def as_the_model_says(self) -> None:
        seen = as_of(self.study.reading, self.now)
        held = self.holder is not None and self.now < self.until
        assert seen.state is (ReadingState.READ if self.done else ReadingState.CLAIMED if held else ReadingState.UNREAD)
        assert not held or seen.reader == self.holder
        assert self.study.stat is self.stat


TestRoom = Room.TestCase
TestRoom.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
