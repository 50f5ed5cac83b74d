"""What we answer to a report on storage commitment: whom we asked may tell it, of what we asked, and nobody else."""

import pytest

from tests.unit.dimse.requests import DX, EXPLICIT, action, encoded
from triage.dimse import command
from triage.dimse.association import Caller
from triage.dimse.command import Command, parse
from triage.dimse.commitment_heard import Reports
from triage.dimse.negotiation import Context
from triage.domain.commitment import MOST_BYTES, SOP_CLASS_UID

CONTEXT = Context(SOP_CLASS_UID, EXPLICIT, False, True)
PACS = Caller("PACS", "192.0.2.1")
TOLD = encoded(action("1.9", [(DX, "1.2.3.1.1")]), EXPLICIT)
FAILED = encoded(action("1.9", []), EXPLICIT)


def asked(event_type_id: int) -> Command:
    return parse(
        command.encode(
            {
                command.COMMAND_FIELD: command.N_EVENT_REPORT_RQ.to_bytes(2, "little"),
                command.MESSAGE_ID: b"\7\0",
                command.COMMAND_DATA_SET_TYPE: b"\1\0",
                command.EVENT_TYPE_ID: event_type_id.to_bytes(2, "little"),
            }
        )
    )


def told(event_type_id: int, *pieces: bytes, known: bool = True) -> tuple[int, list[tuple[str, str, bool]]]:
    heard: list[tuple[str, str, bool]] = []

    def note(ae_title: str, transaction_uid: str, kept: bool) -> bool:
        heard.append((ae_title, transaction_uid, kept))
        return known

    message = Reports(("PACS",), note).begin(asked(event_type_id), CONTEXT, PACS)
    for piece in pieces:
        message.write(memoryview(piece))
    answer = parse(message.finish())
    assert (answer.field, answer.number(command.MESSAGE_ID_BEING_RESPONDED_TO)) == (command.N_EVENT_REPORT_RSP, 7)
    return answer.number(command.STATUS), heard


def test_kept_and_not_kept() -> None:
    assert told(1, TOLD) == (0x0000, [("PACS", "1.9", True)])
    assert told(1, TOLD[:9], TOLD[9:]) == (0x0000, [("PACS", "1.9", True)])
    assert told(2, FAILED) == (0x0000, [("PACS", "1.9", False)])


@pytest.mark.parametrize(
    ("kind", "data_set", "status"),
    [(3, TOLD, 0x0113), (0, TOLD, 0x0113), (1, b"", 0x0115), (1, TOLD[:-1], 0x0115), (2, bytes(MOST_BYTES + 2), 0x0115)],
)
def test_what_is_no_report_is_noted_nowhere(kind: int, data_set: bytes, status: int) -> None:
    assert told(kind, data_set) == (status, [])


def test_what_was_not_asked_is_refused() -> None:
    assert told(1, TOLD, known=False)[0] == 0x0115


def test_a_database_that_is_away_is_told_again() -> None:
    def broken(*_: object) -> bool:
        raise OSError

    message = Reports(("PACS",), broken).begin(asked(1), CONTEXT, PACS)
    message.write(memoryview(TOLD))
    assert parse(message.finish()).number(command.STATUS) == 0x0110


def test_only_whom_we_ask_may_have_that_part() -> None:
    reports = Reports(("PACS",), lambda *_: True)
    assert list(reports.rights(PACS).sent) == [SOP_CLASS_UID]
    assert list(reports.rights(Caller("CT", "192.0.2.1")).sent) == []
