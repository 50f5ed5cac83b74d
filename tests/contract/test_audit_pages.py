"""What a Transaction promises of the audit's newest records, asked of both databases."""

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.database.stores import KINDS, opened
from tests.unit.domain.make import NOW
from triage.domain.audit import Action, AuditEntry, AuditFilter, AuditRecord
from triage.services.ports import Database

MINUTE = timedelta(minutes=1)
NAMES = ("anna", "ben", "Anna", "")
ACTIONS = (Action.VIEW, Action.READ, Action.MODEL)
ENTRIES = st.builds(
    AuditEntry,
    at=st.integers(0, 20).map(lambda minutes: NOW + minutes * MINUTE),
    actor=st.sampled_from(NAMES),
    action=st.sampled_from(ACTIONS),
    subject=st.sampled_from(NAMES),
    details=st.just({}),
)
ASKED = st.builds(
    AuditFilter,
    action=st.none() | st.sampled_from([one.value for one in ACTIONS]),
    actor=st.none() | st.sampled_from(NAMES),
    subject=st.none() | st.sampled_from(NAMES),
    since=st.none() | st.integers(0, 20).map(lambda minutes: NOW + minutes * MINUTE),
    until=st.none() | st.integers(0, 20).map(lambda minutes: NOW + minutes * MINUTE),
)


def pages(database: Database, asked: AuditFilter, limit: int) -> list[AuditRecord]:
    """Every record, page by page, as whoever turns the pages sees them."""
    found: list[AuditRecord] = []
    before = None
    while len(found) <= 100:  # more than there ever are: a page that repeats itself must not go on for ever
        with database.read() as tx:
            page = tx.audit_newest(asked, before, limit)
        found += page
        if len(page) < limit:
            return found
        before = page[-1].sequence
    return found


@settings(max_examples=25, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=25), asked=ASKED, limit=st.integers(1, 7))
def test_pages_are_complete_without_gaps_and_newest_first(entries: list[AuditEntry], asked: AuditFilter, limit: int) -> None:
    wanted = [number for number, entry in enumerate(entries, start=1) if fits(entry, asked)]
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, opened(kind, Path(folder)) as database:
            with database.write() as tx:
                for entry in entries:
                    tx.append_audit(entry)
            assert [record.sequence for record in pages(database, asked, limit)] == wanted[::-1], kind


def fits(entry: AuditEntry, asked: AuditFilter) -> bool:
    """The oracle: said once more, of the entry instead of the record."""
    named = {"action": entry.action.value, "actor": entry.actor, "subject": entry.subject}
    exact = all(getattr(asked, name) in (None, value) for name, value in named.items())
    return exact and (asked.since or entry.at) <= entry.at and (asked.until is None or entry.at < asked.until)


def test_what_arrives_meanwhile_moves_no_page(tmp_path: Path) -> None:
    entry = AuditEntry(at=NOW, actor="anna", action=Action.VIEW, subject="1.2", details={})
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        with opened(kind, tmp_path / kind) as database:
            with database.write() as tx:
                for _ in range(10):
                    tx.append_audit(entry)
            with database.read() as tx:
                first = tx.audit_newest(AuditFilter(), None, 4)
            with database.write() as tx:
                tx.append_audit(replace(entry, subject="late"))
            with database.read() as tx:
                second = tx.audit_newest(AuditFilter(), first[-1].sequence, 4)
            assert [record.sequence for record in (*first, *second)] == [10, 9, 8, 7, 6, 5, 4, 3], kind
