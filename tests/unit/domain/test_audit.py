"""The chain by itself: what holds, and that 200 ways of tampering are all found."""

import random
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.make import NOW, moments
from triage.domain.audit import GENESIS, Action, AuditEntry, AuditHead, AuditRecord, chained, digest_after, first_break

entries = st.builds(
    AuditEntry,
    at=moments,
    actor=st.text(),
    action=st.sampled_from(Action),
    subject=st.text(),
    details=st.dictionaries(st.text(), st.text(), max_size=3),
)
WAYS = ("edit", "delete", "reorder", "truncate", "insert", "rewrite", "cut and move the head", "empty")


def head_of(records: list[AuditRecord]) -> AuditHead:
    return AuditHead(sequence=records[-1].sequence, digest=records[-1].digest) if records else AuditHead()


def chain(of: list[AuditEntry]) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for entry in of:
        records.append(chained(head_of(records), entry))
    return records


def written(count: int) -> list[AuditRecord]:
    actions = list(Action)
    return chain(
        [
            AuditEntry(
                at=NOW + number * timedelta(seconds=1),
                actor=f"dr {number % 3}",
                action=actions[number % len(actions)],
                subject=f"1.2.{number}",
                details={"number": str(number)},
            )
            for number in range(count)
        ]
    )


@given(st.lists(entries, max_size=6))
def test_a_chain_holds_and_gives_its_entries_back(of: list[AuditEntry]) -> None:
    records = chain(of)
    assert first_break(records, head_of(records), [head_of(records)]) is None
    assert [record.entry.details for record in records] == [dict(entry.details) for entry in of]
    assert [record.entry.at for record in records] == [entry.at for entry in of]


def test_the_digest_is_the_documented_one() -> None:
    (record,) = written(1)
    said = (
        '{"action":"view","actor":"dr 0","at":1772438400000000,"details":"{\\"number\\": \\"0\\"}",'
        f'"previous":"{GENESIS}","sequence":1,"subject":"1.2.0"}}'
    )
    assert record.digest == digest_after(GENESIS, record) == sha256(said.encode()).hexdigest()


def tampered(records: list[AuditRecord], way: str, at: int, chance: random.Random) -> tuple[list[AuditRecord], AuditHead]:
    """The records after somebody was at them, and what the note of the end says then."""
    head, records = head_of(records), list(records)
    if way == "edit":
        field = chance.choice(["at", "actor", "action", "subject", "details", "digest"])
        value: object = records[at].at + 1 if field == "at" else "x" + str(getattr(records[at], field))[1:]
        records[at] = replace(records[at], **{field: value})  # type: ignore[arg-type]
    elif way == "delete":
        del records[at]
    elif way == "reorder":
        other = (at + 1) % len(records)
        one, two = records[at], records[other]
        records[at], records[other] = replace(two, sequence=one.sequence), replace(one, sequence=two.sequence)
    elif way == "truncate":
        records = records[:at]
    elif way == "insert":
        bare = replace(records[at], actor="nobody")
        moved = [replace(one, sequence=one.sequence + 1) for one in records[at:]]
        records = [*records[:at], bare, *moved]
        head = replace(head, sequence=head.sequence + 1)
    elif way == "rewrite":
        records[at] = replace(records[at], actor="nobody")
        records = chain([one.entry for one in records])
        head = head_of(records)
    elif way == "cut and move the head":
        records = records[:at]
        head = head_of(records)
    else:
        records, head = [], AuditHead()
    return records, head


@pytest.mark.parametrize("way", WAYS)
def test_two_hundred_ways_of_tampering_are_found(way: str) -> None:
    """25 of each way; an anchor stands at the end, as after the last verification."""
    chance, records = random.Random(way), written(30)
    for _ in range(25):
        at = chance.randrange(len(records))
        changed, head = tampered(records, way, at, chance)
        found = first_break(changed, head, [head_of(records)])
        assert found is not None, (way, at)
        if way in ("edit", "delete", "reorder", "insert"):
            assert found.sequence <= at + 2


def test_what_came_after_the_last_anchor_can_be_cut_by_who_moves_the_head() -> None:
    """The limit that is written down: an anchor proves nothing of what came after it."""
    records = written(10)
    assert first_break(records[:7], head_of(records[:7]), [head_of(records[:5])]) is None
    assert first_break(records[:4], head_of(records[:4]), [head_of(records[:5])]) is not None


def test_a_lost_note_of_the_end_is_a_break() -> None:
    found = first_break(written(3), None, [])
    assert found
    assert "note of the chain's end is missing" in found.what


@pytest.mark.parametrize("kept", range(4))
def test_a_cut_shows_against_the_note_of_the_end_without_any_anchor(kept: int) -> None:
    records = written(4)
    found = first_break(records[:kept], head_of(records), [])
    assert found
    assert found.sequence == kept + 1
