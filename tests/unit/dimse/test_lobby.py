"""Who says nothing waits outside, not for long, and in nobody's way."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.integration.service import until
from triage.dimse import lobby as lobbies
from triage.dimse import pdu
from triage.dimse.lobby import Lobby


class Door:
    """A lobby on a port; ``entered``: (address, request) of those who came through. ``full``: nobody does."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, bytes]] = []
        self.full = False
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.lobby = Lobby(listening, self._enter)
        self.lobby.start()

    def _enter(self, connected: socket.socket, address: str, request: bytes, let_go: Callable[[], None]) -> bytes:
        if self.full:
            return pdu.reject(2, 3, 2)
        let_go()
        self.entered.append((address, request))
        connected.close()
        return b""

    def knock(self, sent: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=10, source_address=(address, 0))
        peer.sendall(sent)
        return peer


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.lobby.close()
    door.lobby.join(10)
    assert not door.lobby.is_alive()


REQUEST = pdu.pdu(pdu.A_ASSOCIATE_RQ, b"x" * 1000)


def said(peer: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    heard = b""
    with suppress(ConnectionResetError):
        while got := peer.recv(100):
            heard += got
    return heard


@pytest.mark.parametrize("cuts", [[], [1], [6], [7, 500], list(range(1, 1006, 67))])
def test_a_request_comes_through_whole_whatever_its_pieces(door: Door, cuts: list[int]) -> None:
    with closing(door.knock()) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin, end in zip([0, *cuts], [*cuts, len(REQUEST)], strict=True):
            peer.sendall(REQUEST[begin:end])
        until(lambda: door.entered == [("127.0.0.1", REQUEST[6:])], 10)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", pdu.abort(pdu.UNRECOGNISED_PDU)),
        (pdu.pdu(pdu.P_DATA_TF, b"x"), pdu.abort(pdu.UNEXPECTED_PDU)),
        (struct.pack(">BxI", pdu.A_ASSOCIATE_RQ, 0xFFFFFFFF) + b"x" * 10_000, pdu.abort(pdu.INVALID_PARAMETER)),
        (struct.pack(">BxI", pdu.A_ASSOCIATE_RQ, 0), pdu.abort(pdu.INVALID_PARAMETER)),
    ],
)
def test_what_is_no_request_is_refused_at_once(door: Door, sent: bytes, answer: bytes) -> None:
    with closing(door.knock(sent)) as peer:
        assert said(peer) == answer
    assert door.entered == []


def test_silence_and_dripping_end_in_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobbies, "REQUEST_WITHIN", 0.3)
    with closing(door.knock()) as silent, closing(door.knock(REQUEST[:6])) as begun:
        stop = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not stop.wait(0.01):
                    begun.sendall(b"\0")

        thread = threading.Thread(target=drip)
        thread.start()
        assert (said(silent), said(begun)) == (b"", b"")
        stop.set()
        thread.join()


def test_of_one_address_the_one_that_has_waited_longest_gives_way(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobbies, "MOST_OF_ADDRESS", 3)
    other = door.knock(address="127.0.0.2")
    peers = [door.knock() for _ in range(4)]
    assert said(peers[0]) == b""
    for peer in (*peers[1:], other):
        peer.sendall(REQUEST)
    until(lambda: len(door.entered) == 4, 10)
    for peer in (*peers, other):
        peer.close()


def test_the_silent_hold_up_nobody(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobbies, "MOST_WAITING", 50)
    silent = [door.knock(address=f"127.0.0.{number % 200 + 3}") for number in range(300)]
    with closing(door.knock(REQUEST)):
        until(lambda: len(door.entered) == 1, 10)
    for peer in silent:
        peer.close()


def test_when_there_is_no_room_it_says_so(door: Door) -> None:
    door.full = True
    with closing(door.knock(REQUEST)) as peer:
        assert said(peer) == pdu.reject(2, 3, 2)


def test_a_refused_peer_that_stays_is_closed(door: Door) -> None:
    with closing(door.knock(b"GET / HTTP/1.1\r\n\r\n")) as peer:
        peer.recv(100)
        begun = time.monotonic()
        assert said(peer) == b""
        assert time.monotonic() - begun < 8


def test_closed_nobody_is_let_in(door: Door) -> None:
    with closing(door.knock()) as peer:
        until(lambda: door.lobby.is_alive(), 5)
        door.lobby.close()
        assert said(peer) == b""
    with pytest.raises(ConnectionRefusedError):
        until(lambda: door.knock().close() or False, 10)


def test_requests_that_are_not_whole_hold_only_so_much_memory(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobbies, "MOST_HEARD", 300_000)
    begun = struct.pack(">BxI", pdu.A_ASSOCIATE_RQ, lobbies.LONGEST_REQUEST)
    with closing(door.knock(begun + bytes(200_000))) as first, closing(door.knock(begun + bytes(150_000))):
        assert said(first) == b"", "the longest goes"
        with closing(door.knock(REQUEST)):
            until(lambda: len(door.entered) == 1, 10)


def test_whom_all_is_said_to_may_read_it_and_is_closed(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu, "FAREWELL_WITHIN", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        peer = socket.create_connection(server.getsockname(), timeout=10)
        ours, _ = server.accept()
    with closing(peer):
        peer.sendall(bytes(100_000))  # not read by us: a plain close would reset the connection
        ours.sendall(b"last words")
        ours.shutdown(socket.SHUT_WR)
        assert door.lobby.see_off(ours)
        assert said(peer) == b"last words"
        with pytest.raises(OSError, match=r"."):
            until(lambda: peer.send(b"x") and False, 10)
    assert ours.fileno() == -1
    door.lobby.close()
    door.lobby.join(10)
    assert not door.lobby.see_off(ours)
