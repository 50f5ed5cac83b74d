"""The policy's preview: the present policy moves nothing, any other gives exactly the list's order."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.make import NOW, study
from triage.domain.duration import duration_text, parse_duration
from triage.domain.level import HeadStarts, Level
from triage.domain.preview import bound, bound_words, moved, preview
from triage.domain.study import Study, placed
from triage.domain.worklist import order, ranked

HOUR = timedelta(hours=1)


@st.composite
def policies(draw: st.DrawFn) -> HeadStarts:
    resting, network, human = sorted(draw(st.lists(st.integers(0, 100), min_size=3, max_size=3)))
    return HeadStarts(
        stat=human * HOUR,
        flagged=network * HOUR,
        not_assessed=draw(st.integers(resting, network)) * HOUR,
        pending=draw(st.integers(resting, network)) * HOUR,
        out_of_scope=draw(st.integers(0, resting)) * HOUR,
        not_flagged=resting * HOUR,
    )


@st.composite
def lists(draw: st.DrawFn) -> list[Study]:
    found = []
    levels = [level for level in Level if level is not Level.STAT]
    for number in range(draw(st.integers(0, 25))):
        level, stat = draw(st.sampled_from(levels)), draw(st.booleans())
        arrived = NOW + timedelta(minutes=draw(st.integers(0, 6000)))
        found.append(replace(study(f"1.2.{number}"), network_level=level, stat=stat, arrived_at=arrived))
    return found


@given(lists(), policies())
def test_the_present_policy_moves_nothing(studies: list[Study], policy: HeadStarts) -> None:
    now = [placed(one, policy) for one in studies]
    moves = preview(now, policy)
    assert moved(moves) == 0
    assert [move.study for move in moves] == sorted(now, key=order)


@given(lists(), policies(), policies(), st.randoms())
def test_another_gives_the_lists_own_order(studies: list[Study], policy: HeadStarts, other: HeadStarts, random: object) -> None:
    now = [placed(one, policy) for one in studies]
    random.shuffle(now)  # type: ignore[attr-defined]
    moves = preview(now, other)
    assert [move.study for move in moves] == [item.study for item in ranked(placed(one, other) for one in studies)]
    assert [move.then for move in moves] == list(range(1, len(studies) + 1))
    assert sorted(move.now for move in moves) == list(range(1, len(studies) + 1))
    assert sum(move.by for move in moves) == 0
    by_uid = {move.study.study_instance_uid: move for move in moves}
    for item in ranked(now):
        assert by_uid[item.study.study_instance_uid].now == item.rank


@given(lists(), policies())
def test_the_stated_bound_holds_in_the_preview(studies: list[Study], policy: HeadStarts) -> None:
    place = {move.study.study_instance_uid: move.then for move in preview(studies, policy)}
    flagged = [one for one in studies if one.level is Level.FLAGGED]
    for unflagged in (one for one in studies if one.level is Level.NOT_FLAGGED):
        for one in flagged:
            if place[one.study_instance_uid] < place[unflagged.study_instance_uid]:
                assert one.arrived_at - unflagged.arrived_at <= bound(policy)


def test_the_bound_in_words() -> None:
    assert "at most 24 h before it" in bound_words(HeadStarts())
    assert "at most 90 min before it" in bound_words(HeadStarts(flagged=1.5 * HOUR, pending=HOUR, not_assessed=HOUR))
    nothing = timedelta(0)
    assert "first come, first served" in bound_words(HeadStarts(flagged=nothing, pending=nothing, not_assessed=nothing))


@given(st.integers(0, 10**9))
def test_a_duration_that_was_written_is_read_again(seconds: int) -> None:
    assert parse_duration(duration_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_what_is_no_duration_is_none() -> None:
    for text in ("", "h", "24 hours", "-1 h", "1e3", "²", "٣ h", "1.2.3 h", "24 H", "inf"):
        assert parse_duration(text) is None, text
