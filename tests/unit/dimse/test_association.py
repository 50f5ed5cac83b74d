"""One association over a socket pair: what each PDU and message leads to, and that nothing of it stays behind."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.unit.dimse.test_negotiation import UNCOMPRESSED, request
from triage.dimse import association as associations
from triage.dimse import command, pdu
from triage.dimse.association import Association, Caller, Echo, House
from triage.dimse.command import Command
from triage.dimse.contexts import OFFERED, STORAGE_CLASSES, VERIFICATION
from triage.dimse.negotiation import Context

CR = next(iter(STORAGE_CLASSES))
ECHO, STORE = 1, 3  # context IDs
ABORTED_BY_PROVIDER, ABORTED_BY_USER = ("abort", 2), ("abort", 0)


class Kept:
    """A C-STORE that remembers. ``fails``: raised by the first fragment."""

    def __init__(self, asked: Command, context: Context, caller: Caller) -> None:
        self.asked, self.data, self.ended = asked, b"", ""

    def write(self, fragment: memoryview) -> None:
        self.data += fragment

    def finish(self) -> bytes:
        self.ended = "finished"
        return command.response(self.asked, command.C_STORE_RSP, 0x0000)

    def abandon(self) -> None:
        self.ended = "abandoned"


class Talk:
    """The peer's side."""

    def __init__(self, **house: Any) -> None:
        self.socket, ours = socket.socketpair()
        self.socket.settimeout(10)
        self.stores: list[Kept] = []
        self.left: list[Association] = []
        services = {command.C_ECHO_RQ: Echo, command.C_STORE_RQ: self._store}
        given = {"ae_title": "TRIAGE", "offered": OFFERED, "services": services, "admits": lambda caller, _: True} | house
        content = request([(VERIFICATION, [UNCOMPRESSED]), (CR, [UNCOMPRESSED])])
        self.association = Association(ours, "127.0.0.1", content, House(**given), self.left.append)

    def _store(self, asked: Command, context: Context, caller: Caller) -> Kept:
        self.stores.append(Kept(asked, context, caller))
        return self.stores[-1]

    def read(self) -> tuple[str, int]:
        """The next PDU: its name, and what tells most of it."""
        head = self.socket.recv(6, socket.MSG_WAITALL)
        if not head:
            return "closed", 0
        kind, length = struct.unpack(">BxI", head)
        content = self.socket.recv(length, socket.MSG_WAITALL)
        if kind == pdu.P_DATA_TF:
            return "status", command.parse(content[6:]).number(command.STATUS)
        return {
            pdu.A_ASSOCIATE_AC: ("accept", 0),
            pdu.A_ASSOCIATE_RJ: ("reject", content[3]),
            pdu.A_RELEASE_RP: ("released", 0),
            pdu.A_ABORT: ("abort", content[2]),
        }[kind]

    def send(self, *pdus: bytes) -> None:
        self.socket.sendall(b"".join(pdus))

    def end(self) -> None:
        """Wait until nothing of it is left."""
        self.association.join(10)
        assert not self.association.is_alive()
        assert self.left == [self.association]


@pytest.fixture
def talk() -> Iterator[Talk]:
    talk = Talk()
    with closing(talk.socket):
        talk.association.start()
        assert talk.read() == ("accept", 0)
        yield talk


def asked(field: int, has_data_set: bool = False, **replaced: bytes) -> bytes:
    values = {0x0002: CR.encode(), 0x0100: struct.pack("<H", field), 0x0110: b"\7\0", 0x1000: b"1.2.3\0"}
    values[0x0800] = b"\1\0" if has_data_set else b"\1\1"
    return command.encode(values | {int(name[1:], 16): value for name, value in replaced.items()})


def fragment(context_id: int, content: bytes, control: int) -> bytes:
    return pdu.pdu(pdu.P_DATA_TF, struct.pack(">IBB", len(content) + 2, context_id, control) + content)


ECHO_RQ = fragment(ECHO, asked(command.C_ECHO_RQ), 3)
STORE_RQ = fragment(STORE, asked(command.C_STORE_RQ, has_data_set=True), 3)
RELEASE = pdu.pdu(pdu.A_RELEASE_RQ, bytes(4))


def test_echo_store_release(talk: Talk) -> None:
    talk.send(ECHO_RQ, STORE_RQ, fragment(STORE, b"one", 0), fragment(STORE, b"two", 2), ECHO_RQ, RELEASE)
    assert [talk.read() for _ in range(5)] == [("status", 0)] * 3 + [("released", 0), ("closed", 0)]
    talk.end()
    assert [(one.data, one.ended) for one in talk.stores] == [(b"onetwo", "finished")]


def test_several_values_in_one_pdu_and_a_command_in_pieces(talk: Talk) -> None:
    content = asked(command.C_STORE_RQ, has_data_set=True)
    pieces = [
        fragment(STORE, content[:9], 1),
        fragment(STORE, content[9:], 3),
        fragment(STORE, b"x", 0),
        fragment(STORE, b"", 2),
    ]
    talk.send(pdu.pdu(pdu.P_DATA_TF, b"".join(one[6:] for one in pieces)), RELEASE)
    assert [talk.read(), talk.read()] == [("status", 0), ("released", 0)]
    assert [(one.data, one.ended) for one in talk.stores] == [(b"x", "finished")]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ([RELEASE], ("released", 0)),
        ([pdu.abort(0)], ("closed", 0)),
        ([pdu.pdu(pdu.A_ASSOCIATE_RQ, bytes(80))], ABORTED_BY_PROVIDER),
        ([pdu.pdu(pdu.A_ASSOCIATE_AC, bytes(80))], ABORTED_BY_PROVIDER),
        ([pdu.pdu(pdu.A_RELEASE_RP, bytes(4))], ABORTED_BY_PROVIDER),
        ([pdu.pdu(9, b"")], ABORTED_BY_PROVIDER),
        ([b"GET / HTTP/1.1\r\n\r\n"], ABORTED_BY_PROVIDER),
        ([fragment(5, asked(command.C_ECHO_RQ), 3)], ABORTED_BY_PROVIDER),
        ([fragment(STORE, b"data of nothing", 2)], ABORTED_BY_PROVIDER),
        ([STORE_RQ, ECHO_RQ], ABORTED_BY_PROVIDER),
        ([STORE_RQ, fragment(ECHO, b"data", 2)], ABORTED_BY_PROVIDER),
        ([fragment(ECHO, bytes(5000), 1)], ABORTED_BY_PROVIDER),
        ([fragment(ECHO, b"no command", 3)], ABORTED_BY_PROVIDER),
        ([fragment(ECHO, asked(command.C_ECHO_RSP), 3)], ABORTED_BY_PROVIDER),
        ([fragment(ECHO, asked(0x0020), 3)], ("status", 0x0211)),
        ([fragment(ECHO, asked(command.C_CANCEL_RQ), 3), ECHO_RQ], ("status", 0)),
        ([fragment(ECHO, asked(command.C_CANCEL_RQ), 3)] * 100, ABORTED_BY_PROVIDER),
        ([pdu.pdu(pdu.P_DATA_TF, b"\0\0\0\1\1")], ABORTED_BY_PROVIDER),
    ],
)
def test_what_each_leads_to(talk: Talk, sent: list[bytes], answer: tuple[str, int]) -> None:
    talk.send(*sent)
    assert talk.read() == answer
    talk.socket.close()
    talk.end()
    assert not talk.stores or talk.stores[0].ended == "abandoned"


@pytest.mark.parametrize(
    ("house", "diagnostic"),
    [({"ae_title": "OTHER"}, 7), ({"admits": lambda caller, _: caller.ae_title != "CALLER"}, 3)],
)
def test_who_may_not_associate_is_told_why(house: dict[str, Any], diagnostic: int) -> None:
    talk = Talk(**house)
    with closing(talk.socket):
        talk.association.start()
        assert [talk.read(), talk.read()] == [("reject", diagnostic), ("closed", 0)]
    talk.end()


@pytest.mark.parametrize("sent", [[], [STORE_RQ], [STORE_RQ, fragment(STORE, b"x", 0)], [STORE_RQ, b"\4\0\0"]])
def test_a_peer_that_breaks_off_leaves_nothing(talk: Talk, sent: list[bytes]) -> None:
    talk.send(*sent)
    talk.socket.close()
    talk.end()
    assert all(one.ended == "abandoned" for one in talk.stores)


@pytest.mark.parametrize("sent", [[], [STORE_RQ], [STORE_RQ, b"\4\0\0"]])
def test_a_peer_that_says_no_more_is_ended(sent: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(associations, "IDLE", 0.05)
    monkeypatch.setattr(pdu, "PDU_WITHIN", 0.05)
    talk = Talk()
    with closing(talk.socket):
        talk.association.start()
        assert talk.read() == ("accept", 0)
        talk.send(*sent)
        assert talk.read()[0] == "abort"
    talk.end()


def test_a_message_has_an_end(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(associations, "MESSAGE_WITHIN", 0.0)
    talk.send(STORE_RQ, fragment(STORE, b"x", 0))
    assert talk.read() == ABORTED_BY_PROVIDER
    talk.socket.close()
    talk.end()
    assert talk.stores[0].ended == "abandoned"


def test_told_to_end_between_messages_it_says_so_at_once(talk: Talk) -> None:
    talk.association.end()
    assert talk.read() == ABORTED_BY_USER
    talk.socket.close()
    talk.end()


def test_told_to_end_in_a_message_it_answers_it_first(talk: Talk) -> None:
    talk.send(STORE_RQ, fragment(STORE, b"x", 0), ECHO_RQ[:0])
    while not talk.association.is_in_message:
        pass
    talk.association.end()
    talk.send(fragment(STORE, b"y", 0), fragment(STORE, b"z", 0), fragment(STORE, b"!", 2))
    assert [talk.read(), talk.read()] == [("status", 0), ABORTED_BY_USER]
    talk.socket.close()
    talk.end()
    assert (talk.stores[0].data, talk.stores[0].ended) == (b"xyz!", "finished")


def test_cut_off_it_does_not_wait_for_the_rest(talk: Talk) -> None:
    talk.send(STORE_RQ, fragment(STORE, b"x", 0))
    while not talk.association.is_in_message:
        pass
    talk.association.cut()
    assert talk.read() == ABORTED_BY_USER
    talk.socket.close()
    talk.end()
    assert talk.stores[0].ended == "abandoned"


def test_a_service_that_fails_ends_the_association_not_the_listener() -> None:
    def broken(*_: object) -> Kept:
        raise ZeroDivisionError

    talk = Talk(services={command.C_ECHO_RQ: broken})
    with closing(talk.socket):
        talk.association.start()
        talk.read()
        talk.send(ECHO_RQ)
        assert talk.read() == ABORTED_BY_PROVIDER
    talk.end()
