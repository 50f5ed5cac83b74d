"""C-FIND and C-GET over a socket pair: every status, C-CANCEL in the middle, hostile identifiers, a peer that does not read."""

import gc
import socket
import struct
from collections.abc import Iterator
from contextlib import nullcontext
from io import BytesIO
from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from tests.films import data_set_bytes, film
from tests.unit.dimse.requests import IMPLICIT, element
from tests.unit.dimse.test_negotiation import request
from tests.unit.domain import make
from tests.unit.services.world import World
from triage.dimse import command, find_scp, pdu
from triage.dimse.association import Association, Caller, House
from triage.dimse.command import Command
from triage.dimse.contexts import OFFERED
from triage.dimse.identifier import encode
from triage.dimse.peers import Peer
from triage.dimse.query_models import MODELS, Status
from triage.dimse.query_scp import Permissions, Queries
from triage.domain.destination import Destination
from triage.domain.errors import IndexUnavailable

DX, CR = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
STUDY_FIND, STUDY_GET, STUDY_MOVE = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 3, 2))
PATIENT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
FIND, GET, MOVE, PATIENT, FILMS, OTHERS = 1, 3, 5, 7, 9, 11
CONTEXTS = [
    (STUDY_FIND, [IMPLICIT]),
    (STUDY_GET, [IMPLICIT]),
    (STUDY_MOVE, [IMPLICIT]),
    (PATIENT_FIND, [IMPLICIT]),
    (DX, [EXPLICIT]),
    (CR, [EXPLICIT]),
]
EVERYBODY = Permissions(
    query=[Peer("VIEWER")], retrieve=[Peer("VIEWER")], destinations={"ARCHIVE": Destination("ARCHIVE", "127.0.0.1", 9)}
)


class Viewer:
    """The peer's side of an association with a site in memory."""

    def __init__(self, world: World, permissions: Permissions = EVERYBODY) -> None:
        self.socket, ours = socket.socketpair()
        self.socket.settimeout(10)
        self.queries = Queries(
            ae_title="TRIAGE",
            database=world.database,
            archive=world.archive,
            local=nullcontext,
            clock=world.clock,
            permissions=permissions,
        )
        house = House(
            ae_title="TRIAGE",
            offered=OFFERED,
            services=self.queries.services,
            admits=lambda caller, _: True,
            rights=self.queries.rights,
        )
        content = request(CONTEXTS, {DX: (False, True)}).replace(b"CALLER", b"VIEWER")
        self.association = Association(ours, "127.0.0.1", content, house, lambda _: None)
        self.association.start()
        self.accepted = self._pdu()[1]
        self._message_id = 0

    def _pdu(self) -> tuple[int, bytes]:
        head = self.socket.recv(6, socket.MSG_WAITALL)
        if not head:
            return 0, b""
        kind, length = struct.unpack(">BxI", head)
        return kind, self.socket.recv(length, socket.MSG_WAITALL)

    def ask(self, field: int, context: int, identifier: bytes, to: str = "") -> None:
        self._message_id += 1
        values = {
            command.COMMAND_FIELD: field.to_bytes(2, "little"),
            command.MESSAGE_ID: self._message_id.to_bytes(2, "little"),
            command.COMMAND_DATA_SET_TYPE: b"\0\0",
            **({command.MOVE_DESTINATION: to.encode()} if to else {}),
        }
        self.socket.sendall(pdu.p_data(context, command.encode(values), identifier, 16384))

    def cancel(self, context: int = FIND) -> None:
        values = {
            command.COMMAND_FIELD: command.C_CANCEL_RQ.to_bytes(2, "little"),
            command.MESSAGE_ID_BEING_RESPONDED_TO: self._message_id.to_bytes(2, "little"),
            command.COMMAND_DATA_SET_TYPE: b"\1\1",
        }
        self.socket.sendall(pdu.p_data(context, command.encode(values), b"", 0))

    def hear(self) -> tuple[Command, bytes]:
        """A message."""
        told, data = None, b""
        while True:
            kind, content = self._pdu()
            assert kind == pdu.P_DATA_TF, f"PDU {kind}"
            for fragment in pdu.fragments(memoryview(content)):
                if fragment.is_command:
                    told = command.parse(bytes(fragment.content))
                else:
                    data += fragment.content
                if fragment.is_last and told is not None and (not fragment.is_command or not told.has_data_set):
                    return told, data

    def answers(self) -> tuple[list[bytes], Command]:
        """Identifiers, and the last response."""
        found = []
        while True:
            told, data = self.hear()
            if told.number(command.STATUS) & 0xFF00 != 0xFF00:
                return found, told
            found.append(data)

    def stored(self, told: Command, context: int, status: int = 0) -> None:
        """Answer a C-STORE."""
        self.socket.sendall(pdu.p_data(context, command.response(told, command.C_STORE_RSP, status), b"", 0))

    def end(self) -> None:
        self.socket.close()
        self.association.join(10)
        assert not self.association.is_alive()


@pytest.fixture
def world() -> World:
    world = World()
    for number in range(5):
        world.store(film(f"1.{number}", f"1.{number}.1.1", patient_id=f"P{number}", patient_name="Müller^Jörg"))
        world.clock.forward(minutes=1)
    world.store(film("1.4", "1.4.2.1", series_uid="1.4.2", sop_class_uid=CR, modality="CR", patient_id="P4"))
    return world


@pytest.fixture
def viewer(world: World) -> Iterator[Viewer]:
    viewer = Viewer(world)
    yield viewer
    viewer.end()


def identifier(level: str = "STUDY", **keys: str) -> bytes:
    """By hand, so that nothing is too wrong to be asked; in ISO_IR 100."""
    values = {"SpecificCharacterSet": "ISO_IR 100", "QueryRetrieveLevel": level, "StudyInstanceUID": ""} | keys
    tags = {tag_for_keyword(keyword): value.encode("latin-1") for keyword, value in values.items()}
    return b"".join(
        element(tag or 0, b"", value + b" " * (len(value) % 2), explicit=False)
        for tag, value in sorted(tags.items())  # type: ignore[type-var]
    )


def decoded(content: bytes, *, implicit: bool = True) -> Dataset:
    return read_dataset(BytesIO(content), implicit, True)


def find(viewer: Viewer, content: bytes, context: int = FIND) -> tuple[list[Dataset], int]:
    viewer.ask(command.C_FIND_RQ, context, content)
    found, last = viewer.answers()
    return [decoded(one) for one in found], last.number(command.STATUS)


def test_matches_come_in_order_then_success(viewer: Viewer) -> None:
    found, status = find(viewer, identifier(PatientName="", PatientID="P[1]"))
    assert (found, status) == ([], Status.SUCCESS)
    found, status = find(viewer, identifier(PatientName="müller*", StudyDate=""))
    assert [one.StudyInstanceUID for one in found] == [f"1.{number}" for number in range(5)]
    assert str(found[0].PatientName) == "Müller^Jörg"
    assert found[0].SpecificCharacterSet == "ISO_IR 100"
    assert found[0].StudyDate == "", "asked for, and not known"
    assert status == Status.SUCCESS


def test_keys_that_are_not_supported_are_told_by_the_status(viewer: Viewer) -> None:
    for key, status in (({}, Status.PENDING), ({"Modality": "DX"}, Status.PENDING_SOME_KEYS_IGNORED)):
        viewer.ask(command.C_FIND_RQ, FIND, identifier(PatientID="P1", **key))
        told, data = viewer.hear()
        assert told.number(command.STATUS) == status
        assert "Modality" not in decoded(data)
        assert viewer.answers()[0] == []


HUGE = element(0x00080052, b"CS", b"STUDY ", explicit=False) + b"".join(
    element(0x00090000 + number, b"LO", b"", explicit=False) for number in range(65_000)
)
REFUSED = [
    (FIND, identifier("PATIENT"), Status.IDENTIFIER_MISMATCH),
    (FIND, identifier("NONSENSE"), Status.IDENTIFIER_MISMATCH),
    (FIND, element(0x00100010, b"PN", b"A*", explicit=False), Status.IDENTIFIER_MISMATCH),
    (FIND, identifier("SERIES"), Status.IDENTIFIER_MISMATCH),
    (FIND, identifier("SERIES", StudyInstanceUID="1.1\\1.2"), Status.IDENTIFIER_MISMATCH),
    (FIND, identifier("IMAGE", StudyInstanceUID="1.1"), Status.IDENTIFIER_MISMATCH),
    (PATIENT, identifier("STUDY", PatientID="P*"), Status.IDENTIFIER_MISMATCH),
    (FIND, identifier(StudyDate="yesterday"), Status.UNABLE_TO_PROCESS),
    (FIND, identifier(StudyTime="99"), Status.UNABLE_TO_PROCESS),
    (FIND, identifier(PatientName="A" * 300), Status.UNABLE_TO_PROCESS),
    (FIND, b"\x08\x00\x52\x00\xff\xff\xff\x00STUDY", Status.UNABLE_TO_PROCESS),
    (FIND, b"\xff" * 1001, Status.IDENTIFIER_MISMATCH),
    (FIND, HUGE, Status.UNABLE_TO_PROCESS),
    (FIND, b"\x08\x00\x10\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 4000, Status.UNABLE_TO_PROCESS),
    (GET, identifier(), Status.CLASS_NOT_SUPPORTED),
]


@pytest.mark.parametrize(("context", "content", "status"), REFUSED)
def test_what_is_refused(viewer: Viewer, context: int, content: bytes, status: Status) -> None:
    assert find(viewer, content, context) == ([], status)
    assert find(viewer, identifier(PatientID="P1"))[1] == Status.SUCCESS, "the association lives"


def test_no_value_of_a_key_is_told_back_or_logged(viewer: Viewer, capsys: pytest.CaptureFixture[str]) -> None:
    viewer.ask(command.C_FIND_RQ, FIND, identifier(PatientName="Secret^Name" * 30))
    _, last = viewer.answers()
    assert b"Secret" not in b"".join(last.elements.values())
    assert "Secret" not in "".join(capsys.readouterr())


def many(world: World, count: int) -> None:
    """So many studies that their answers fit into no buffer."""
    with world.database.write() as tx:
        for number in range(100, 100 + count):
            uid = f"1.{number}"
            tx.put_study(make.study(uid, make.NOW))
            tx.add_instance(make.instance(uid))
            tx.queries.put_attributes(f"{uid}.1.1", {"PatientID": ("Q",), "StudyDescription": ("x" * 250,)})


def test_a_cancelled_query_ends_between_two_answers(world: World) -> None:
    many(world, 100)
    viewer = Viewer(world)
    viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.association._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    viewer.ask(command.C_FIND_RQ, FIND, identifier(PatientID="Q", StudyDescription=""))
    viewer.hear()
    viewer.cancel()
    found, last = viewer.answers()
    assert last.number(command.STATUS) == Status.CANCELLED
    assert len(found) < 99
    viewer.cancel()  # once more, when it is over: it means nothing
    assert find(viewer, identifier(PatientID="P1"))[1] == Status.SUCCESS
    viewer.end()


def test_a_peer_that_does_not_read_holds_its_slot_only_for_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    many(world, 100)
    monkeypatch.setattr(pdu, "PDU_WITHIN", 0.3)
    viewer = Viewer(world)
    viewer.association._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    viewer.ask(command.C_FIND_RQ, FIND, identifier(StudyDescription=""))
    viewer.association.join(10)
    assert not viewer.association.is_alive()
    assert viewer.queries._desk.room.acquire(blocking=False)
    viewer.end()


def test_a_peer_that_goes_away_leaves_nothing_behind(world: World) -> None:
    viewer = Viewer(world)
    viewer.ask(command.C_FIND_RQ, FIND, identifier())
    viewer.end()
    assert all(viewer.queries._desk.room.acquire(blocking=False) for _ in range(find_scp.AT_A_TIME))


def test_too_many_matches_are_told_after_the_first_ones(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_scp, "MOST_MATCHES", 3)
    found, status = find(viewer, identifier())
    assert [one.StudyInstanceUID for one in found] == ["1.0", "1.1", "1.2"]
    assert status == Status.OUT_OF_RESOURCES


def test_too_many_queries_at_a_time(viewer: Viewer) -> None:
    for _ in range(find_scp.AT_A_TIME):
        viewer.queries._desk.room.acquire()
    assert find(viewer, identifier()) == ([], Status.OUT_OF_RESOURCES)
    viewer.queries._desk.room.release()
    assert find(viewer, identifier())[1] == Status.SUCCESS


def test_a_database_that_is_away_is_no_empty_answer(viewer: Viewer, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise IndexUnavailable("the database is away")

    monkeypatch.setattr(world.database, "read", away)
    assert find(viewer, identifier()) == ([], Status.OUT_OF_RESOURCES)


def test_who_asks_is_audited_once(viewer: Viewer, world: World) -> None:
    for _ in range(3):
        find(viewer, identifier())
    with world.database.read() as tx:
        entries = [record.entry for record in tx.audit()]
    assert [(one.actor, one.action.value, one.subject) for one in entries] == [
        ("dicom:VIEWER@127.0.0.1", "export", "worklist"),
    ]


def get(viewer: Viewer, context: int = GET, level: str = "STUDY", **keys: Any) -> None:
    viewer.ask(command.C_GET_RQ, context, identifier(level, **keys))


def test_films_come_back_byte_for_byte_and_what_was_not_accepted_is_named(viewer: Viewer) -> None:
    get(viewer, StudyInstanceUID="1.4")
    told, data = viewer.hear()
    assert (told.field, told.text(command.AFFECTED_SOP_INSTANCE_UID)) == (command.C_STORE_RQ, "1.4.1.1")
    assert data == data_set_bytes(film("1.4", "1.4.1.1", patient_id="P4", patient_name="Müller^Jörg"))
    viewer.stored(told, FILMS)
    pending, _ = viewer.hear()
    assert pending.number(command.STATUS) == Status.PENDING
    assert (pending.number(command.REMAINING), pending.number(command.COMPLETED)) == (1, 1)
    last, failed = viewer.hear()  # of CR the requestor did not offer to be the SCP
    assert last.number(command.STATUS) == Status.SOME_FAILED
    assert (last.number(command.COMPLETED), last.number(command.FAILED)) == (1, 1)
    assert decoded(failed).FailedSOPInstanceUIDList == "1.4.2.1"


@pytest.mark.parametrize(
    ("level", "keys", "status"),
    [
        ("STUDY", {}, Status.IDENTIFIER_MISMATCH),
        ("PATIENT", {"PatientID": "P1"}, Status.IDENTIFIER_MISMATCH),
        ("SERIES", {"SeriesInstanceUID": "1.1.1"}, Status.IDENTIFIER_MISMATCH),
        ("STUDY", {"StudyInstanceUID": "9.9"}, Status.SUCCESS),
        ("SERIES", {"StudyInstanceUID": "1.4", "SeriesInstanceUID": "1.4.2"}, Status.UNABLE_TO_PERFORM),
    ],
)
def test_what_cannot_be_fetched(viewer: Viewer, level: str, keys: dict[str, str], status: Status) -> None:
    get(viewer, level=level, **keys)
    _, last = viewer.answers()
    assert last.number(command.STATUS) == status


def test_a_film_that_is_damaged_is_not_sent(viewer: Viewer, world: World) -> None:
    with world.database.read() as tx:
        film = tx.instance("1.1.1.1")
    assert film is not None
    content = world.archive.objects[film.digest]  # type: ignore[attr-defined]
    world.archive.objects[film.digest] = content[:-1] + bytes([content[-1] ^ 1])  # type: ignore[attr-defined]
    get(viewer, StudyInstanceUID="1.1")
    last, failed = viewer.hear()
    assert last.field == command.C_GET_RSP, "the damaged film was sent"
    assert last.number(command.STATUS) == Status.UNABLE_TO_PERFORM
    assert decoded(failed).FailedSOPInstanceUIDList == "1.1.1.1"


def test_a_film_larger_than_a_pdu_comes_whole(viewer: Viewer, world: World) -> None:
    large = film("1.7", "1.7.1.1", rows=300, columns=300)
    world.store(large)
    get(viewer, StudyInstanceUID="1.7")
    told, data = viewer.hear()
    assert data == data_set_bytes(large)
    viewer.stored(told, FILMS)
    assert viewer.answers()[1].number(command.STATUS) == Status.SUCCESS


def test_a_cancelled_retrieval_tells_what_remains(world: World) -> None:
    for number in (3, 4, 5):
        world.store(film("1.1", f"1.1.1.{number}", patient_id="P1", patient_name="Müller^Jörg"))
    viewer = Viewer(world)
    get(viewer, StudyInstanceUID="1.1")
    told, _ = viewer.hear()
    viewer.cancel(GET)
    viewer.stored(told, FILMS)
    _, last = viewer.answers()
    assert last.number(command.STATUS) == Status.CANCELLED
    assert (last.number(command.REMAINING), last.number(command.COMPLETED)) == (3, 1)
    viewer.end()


def test_an_unknown_move_destination_is_told(viewer: Viewer) -> None:
    viewer.ask(command.C_MOVE_RQ, MOVE, identifier(StudyInstanceUID="1.1"), to="NOWHERE")
    assert viewer.answers()[1].number(command.STATUS) == Status.DESTINATION_UNKNOWN


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom leaves its socket to the collector
def test_a_move_destination_that_is_away_is_told(viewer: Viewer) -> None:
    viewer.ask(command.C_MOVE_RQ, MOVE, identifier(StudyInstanceUID="1.1"), to="ARCHIVE")
    assert viewer.answers()[1].number(command.STATUS) == Status.UNABLE_TO_PERFORM
    gc.collect()


def test_a_request_in_the_middle_of_a_retrieval_ends_the_association(world: World) -> None:
    viewer = Viewer(world)
    get(viewer, StudyInstanceUID="1.1")
    viewer.hear()
    viewer.ask(command.C_FIND_RQ, FIND, identifier())
    assert viewer._pdu()[0] == pdu.A_ABORT
    viewer.end()


@pytest.mark.parametrize(
    ("permissions", "kinds"),
    [
        (Permissions(), set()),
        (Permissions(query=[Peer("VIEWER", "10.0.0.1")]), set()),
        (Permissions(query=[Peer("VIEWER")]), {"FIND"}),
        (Permissions(retrieve=[Peer("VIEWER")]), {"GET"}),
        (EVERYBODY, {"FIND", "GET", "MOVE"}),
    ],
)
def test_who_is_not_named_is_offered_nothing(permissions: Permissions, kinds: set[str]) -> None:
    rights = Queries(
        ae_title="T", database=World().database, archive=World().archive, local=nullcontext, clock=World().clock,
        permissions=permissions,
    ).rights(Caller("VIEWER", "127.0.0.1"))  # fmt: skip
    assert {MODELS[uid].operation for uid in rights.offered} == kinds
    assert bool(rights.sent) is ("GET" in kinds)


def test_a_viewer_that_may_not_fetch_is_refused_the_role(world: World) -> None:
    viewer = Viewer(world, Permissions(query=[Peer("VIEWER")]))
    results = {}
    at = viewer.accepted.index(b"\x21\x00")
    while viewer.accepted[at : at + 2] == b"\x21\x00":
        length, context, result = struct.unpack_from(">HBxB", viewer.accepted, at + 2)
        results[context] = result
        at += 4 + length
    assert {context for context, result in results.items() if result == 0} == {FIND, PATIENT, OTHERS}
    viewer.end()


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize(("name", "character_set"), [("Doe^J", None), ("Müller", "ISO_IR 100"), ("山田", "ISO_IR 192")])
def test_an_answer_is_what_the_library_reads(syntax: str, name: str, character_set: str | None) -> None:
    content = encode({0x00100010: ("PN", (name,)), 0x00280010: ("US", ("300",)), 0x0020000D: ("UI", ("1.2.3",))}, syntax)
    read = decoded(content, implicit=syntax == IMPLICIT)
    assert (str(read.PatientName), read.Rows, read.StudyInstanceUID) == (name, 300, "1.2.3")
    assert read.get("SpecificCharacterSet") == character_set
