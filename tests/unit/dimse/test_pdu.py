"""PDUs over a socket: whole whatever the pieces in which they come, capped, and never waited for without end."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.dimse import pdu
from triage.dimse.pdu import Connection, Ended, ProtocolError, TooSlow


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Connection]]:
    """A peer's socket and our connection."""
    theirs, ours = socket.socketpair()
    with closing(theirs), closing(ours):
        yield theirs, Connection(ours)


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=6), st.lists(st.integers(1, 5000), min_size=1))
def test_pdus_are_whole_whatever_the_pieces(contents: list[bytes], sizes: list[int]) -> None:
    theirs, ours = socket.socketpair()
    with closing(theirs), closing(ours):
        stream, at = b"".join(pdu.pdu(pdu.P_DATA_TF, one) for one in contents), 0

        def send() -> None:
            nonlocal at
            while at < len(stream):
                for size in sizes:
                    theirs.sendall(stream[at : at + size])
                    at += size

        sender = threading.Thread(target=send)
        sender.start()
        connection = Connection(ours)
        got = [bytes(connection.read(5)[1]) for _ in contents]
        sender.join()
    assert got == contents


def test_a_long_run_of_the_longest_pdus_goes_through_one_buffer(ends: tuple[socket.socket, Connection]) -> None:
    theirs, connection = ends
    contents = [bytes([number]) * (pdu.MAXIMUM_LENGTH - number) for number in range(40)]
    sender = threading.Thread(target=lambda: theirs.sendall(b"".join(pdu.pdu(pdu.P_DATA_TF, one) for one in contents)))
    sender.start()
    assert [bytes(connection.read(5)[1]) == one for one in contents] == [True] * 40
    sender.join()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (struct.pack(">BxI", pdu.P_DATA_TF, pdu.MAXIMUM_LENGTH + 1), pdu.INVALID_PARAMETER),
        (struct.pack(">BxI", pdu.P_DATA_TF, 0xFFFFFFFF), pdu.INVALID_PARAMETER),
        (struct.pack(">BxI", 8, 0), pdu.UNRECOGNISED_PDU),
        (struct.pack(">BxI", 0, 0), pdu.UNRECOGNISED_PDU),
        (b"GET / ", pdu.UNRECOGNISED_PDU),
    ],
)
def test_what_is_too_long_or_unknown_is_not_waited_for(
    ends: tuple[socket.socket, Connection], sent: bytes, reason: int
) -> None:
    theirs, connection = ends
    theirs.sendall(sent)
    with pytest.raises(ProtocolError) as raised:
        connection.read(5)
    assert raised.value.reason == reason


@pytest.mark.parametrize("sent", [b"", b"\4", b"\4\0\0\0\0\5abcd"])
def test_a_deadline_for_each_pdu(ends: tuple[socket.socket, Connection], sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu, "PDU_WITHIN", 0.05)
    theirs, connection = ends
    theirs.sendall(sent)
    with pytest.raises(TooSlow):
        connection.read(0.05)


def test_dripping_does_not_move_the_deadline() -> None:
    """The clock, not the peer's last byte: a byte a second would hold a thread for a day."""
    theirs, ours = socket.socketpair()
    seconds = iter(range(1000))

    def now() -> float:
        theirs.send(b"\0")
        return float(next(seconds))

    with closing(theirs), closing(ours):
        theirs.sendall(struct.pack(">BxI", pdu.P_DATA_TF, 100_000))
        with pytest.raises(TooSlow):
            Connection(ours, now).read(5)
    assert next(seconds) < 2 * pdu.PDU_WITHIN


@pytest.mark.parametrize("sent", [b"", b"\4\0", b"\4\0\0\0\0\5abc"])
def test_a_peer_that_closes(ends: tuple[socket.socket, Connection], sent: bytes) -> None:
    theirs, connection = ends
    theirs.sendall(sent)
    theirs.close()
    with pytest.raises(Ended):
        connection.read(5)


def test_a_peer_that_does_not_read(ends: tuple[socket.socket, Connection], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu, "PDU_WITHIN", 0.1)
    _, connection = ends
    with pytest.raises(TooSlow):
        connection.send(bytes(50 << 20))


def test_quiet_means_present_and_silent(ends: tuple[socket.socket, Connection]) -> None:
    theirs, connection = ends
    assert connection.is_quiet(0.02)
    theirs.sendall(pdu.pdu(pdu.A_RELEASE_RQ, bytes(4)))
    assert not connection.is_quiet(5)
    assert connection.read(1)[0] == pdu.A_RELEASE_RQ
    theirs.close()
    assert not connection.is_quiet(5)


def test_the_last_words_arrive_though_not_all_was_read(ends: tuple[socket.socket, Connection]) -> None:
    theirs, connection = ends
    theirs.sendall(bytes(50_000))
    connection.part(pdu.abort(pdu.UNEXPECTED_PDU))
    closing_thread = threading.Thread(target=connection.linger)
    closing_thread.start()
    assert theirs.recv(100) == b"\7\0\0\0\0\4\0\0\2\2"
    assert theirs.recv(100) == b""
    theirs.close()
    closing_thread.join()


@given(st.binary(min_size=1, max_size=2000), st.binary(max_size=4000), st.integers(0, 600), st.sampled_from(range(1, 256, 2)))
def test_a_message_comes_apart_and_together(command: bytes, data_set: bytes, longest: int, context_id: int) -> None:
    sent, commands, data = pdu.p_data(context_id, command, data_set, longest), [], []
    at, ended = 0, []
    while at < len(sent):
        kind, length = struct.unpack_from(">BxI", sent, at)
        assert kind == pdu.P_DATA_TF
        assert not longest or length <= max(longest, 128)
        for fragment in pdu.fragments(memoryview(sent)[at + 6 : at + 6 + length]):
            assert fragment.context_id == context_id
            (commands if fragment.is_command else data).append(bytes(fragment.content))
            if fragment.is_last:
                ended.append(fragment.is_command)
        at += 6 + length
    assert (b"".join(commands), b"".join(data)) == (command, data_set)
    assert ended == ([True, False] if data_set else [True])


@given(st.binary(max_size=200))
def test_fragments_of_anything_add_up_or_are_refused(content: bytes) -> None:
    try:
        found = list(pdu.fragments(memoryview(content)))
    except ProtocolError:
        return
    assert sum(6 + len(one.content) for one in found) == len(content)
