"""What processes count, and who gives signs of life: every database does the same."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW
from tests.unit.services.world import MovingDatabase
from tests.unit.web import scene
from triage.domain.errors import IndexUnavailable
from triage.domain.figures import BYTES, FAULTY, FILMS, LISTED, OTHER, SENDERS, STEP
from triage.services.tally import Tally

KEYS = [("a", ()), ("a", (("sender", 'CR "1"'), ("status", "0000"))), ("b_bucket", (("le", "+Inf"),))]
COUNTS = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 2**40).map(float), max_size=3)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), COUNTS), max_size=6))
def test_what_is_added_adds_up_and_what_is_put_stands(kind: str, steps: list[tuple[bool, dict[object, float]]]) -> None:
    expected: dict[object, float] = {}
    with tempfile.TemporaryDirectory() as folder, opened(kind, Path(folder)) as database:
        for adds, counted in steps:
            with database.write() as tx:
                (tx.figures.add if adds else tx.figures.put)(counted)  # type: ignore[arg-type]
            expected |= {key: (expected.get(key, 0.0) if adds else 0.0) + value for key, value in counted.items()}
        with database.read() as tx:
            assert tx.figures.all() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_what_several_processes_count_is_one_sum(kind: str, tmp_path: Path) -> None:
    tallies = [Tally() for _ in range(3)]
    with opened(kind, tmp_path) as database:
        for number, tally in enumerate(tallies, start=1):
            tally.film("CR1", 0, 1000 * number, 0.2)
            tally.film("CR1", 0xA700, 9, 0.2)
            tally.put(FAULTY, number)
            tally.write(database)
            tally.write(database)  # nothing twice
        with database.read() as tx:
            told = tx.figures.all()
    assert told[FILMS.name, (("sender", "CR1"), ("status", "0000"))] == 3
    assert told[FILMS.name, (("sender", "CR1"), ("status", "A700"))] == 3
    assert told[BYTES.name, (("sender", "CR1"),)] == 6000
    assert told[f"{LISTED.name}_bucket", (("le", "0.25"),)] == 3
    assert told[f"{LISTED.name}_sum", ()] == pytest.approx(0.6)
    assert told[FAULTY.name, ()] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_not_heard_for_long_is_forgotten(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as database:
        old, new = (scene.roles(at)[0] for at in (NOW - timedelta(days=40), NOW))
        with database.write() as tx:
            tx.put_role(old)
            tx.put_role(type(new)(**{name: getattr(new, name) for name in type(new).__dataclass_fields__} | {"role": "x@b"}))
            tx.forget_roles(NOW - timedelta(days=30))
            assert [one.role for one in tx.roles()] == ["x@b"]


def test_what_cannot_be_written_is_kept_for_the_next_time() -> None:
    database, tally = MovingDatabase(), Tally()
    tally.add(STEP, step="open")
    tally.put(FAULTY, 1)
    database.down = True
    with pytest.raises(IndexUnavailable):
        tally.write(database)
    tally.add(STEP, step="open")
    tally.put(FAULTY, 2)
    database.down = False
    tally.write(database)
    with database.read() as tx:
        assert tx.figures.all() == {(STEP.name, (("step", "open"),)): 2.0, (FAULTY.name, ()): 2.0}


def test_senders_are_few_whatever_they_call_themselves() -> None:
    database, tally = MovingDatabase(), Tally()
    for number in range(3 * SENDERS):
        tally.film(f"AE{number}", 0, 1, 0.1)
    for title in ("", "x" * 17, "back\\slash", "line\nbreak", "Müller"):
        tally.film(title, 0, 1, 0.1)
    tally.write(database)
    with database.read() as tx:
        senders = {dict(labels)["sender"]: value for (name, labels), value in tx.figures.all().items() if name == FILMS.name}
    assert len(senders) == SENDERS + 1
    assert senders[OTHER] == 2 * SENDERS + 5
