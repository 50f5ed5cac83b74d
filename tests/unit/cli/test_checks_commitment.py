"""``triage check`` on storage commitment: who waits, who was never told, and what to do about it."""

from datetime import timedelta
from pathlib import Path

from tests.unit.database.stores import sql_database
from tests.unit.domain.make import NOW
from triage.cli.checks_commitment import commitments
from triage.config import load
from triage.domain.commitment import ActionInformation, Reference

HOUR = timedelta(hours=1)


def found(home: Path, *peers: str) -> list[tuple[str, str]]:
    settings = load(home=home, environment={"TRIAGE_DIMSE__COMMITMENT_PEERS": ",".join(peers)})
    return [(one.mark, f"{one.words}; {one.remedy}") for one in commitments(settings)]


def test_who_waits_and_who_was_never_told(tmp_path: Path) -> None:
    database = sql_database(tmp_path)
    (fine,) = found(tmp_path)
    assert fine[0] == "ok"
    with database.write() as tx:
        for title, transaction, until in (("CT1", "1.1", HOUR), ("CT1", "1.2", HOUR), ("DX2", "1.3", 24 * HOUR)):
            tx.commitments.put(ActionInformation(transaction, (Reference("1.5", "1.2"),)), title, "h", NOW, NOW, NOW + until)
        tx.commitments.give_up(NOW + HOUR)
    database.close()
    given_up, waits = found(tmp_path)
    assert (given_up[0], waits[0]) == ("WARN", "WARN")
    assert given_up[1].startswith("CT1 was never told the outcome of 2 requests; name where it listens")
    assert waits[1].startswith("DX2 waits for the outcome of 1 request; name where it listens in dimse.commitment_peers")
    (known,) = found(tmp_path, "CT1@10.0.0.7:104", "DX2@10.0.0.8:104")
    assert "is dimse.commitment_peers right for it?" in known[1]


def test_without_a_home_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert found(tmp_path / "none") == []
