"""Orders from callers that are silent, slow, endless, mad or many: one effect each, an answer each, and the listener lives."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.service import until
from tests.unit.hl7.messages import order
from tests.unit.hl7.results import validated
from tests.unit.hl7.test_any_order import Hospital
from tests.unit.hl7.test_orders import BAD
from triage.domain.level import Level
from triage.hl7.listener import Limits, Listener
from triage.hl7.mllp import Frames, framed
from triage.hl7.structure import parse

LIMITS = Limits(connections=6, of_address=6, message_bytes=8192, first=0.4, message=0.4, answer=0.5, gives_way=0.2)


class Desk(Hospital):
    """A site whose desk for orders listens on a port."""

    def __init__(self, limits: Limits = LIMITS, peers: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.listener = Listener(
            host="127.0.0.1", port=0, peers=peers, limits=limits, answer=self.desk.answer, unframed=self.desk.unframed
        )

    def call(self) -> "Caller":
        return Caller(self.listener.port)

    def takes_an_order(self) -> None:
        """A new caller is served, and at once."""
        with self.call() as caller:
            assert caller.told(order(accession="ACC-1")) == "AA"


class Caller:
    """A RIS on a connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._frames = Frames(1 << 20)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> bytes:
        """The next answer; ``b""``: closed."""
        while (answer := self._frames.next()) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return b""
            if not data:
                return b""
            self._frames.feed(data)
        return answer

    def told(self, content: bytes) -> str:
        """MSA-1 of the answer, which is to this message."""
        self.say(framed(content))
        answer = parse(self.hear())
        (msa,) = answer.all("MSA")
        with suppress(Exception):
            assert msa.value(2) == parse(content).control_id
        return msa.value(1)


@contextmanager
def desk(**changes: Any) -> Iterator[Desk]:
    peers = changes.pop("peers", ())
    opened = Desk(replace(LIMITS, **changes), peers)
    try:
        yield opened
    finally:
        opened.listener.stop(2)
        assert opened.listener.connections == 0


@pytest.fixture(scope="module")
def site() -> Iterator[Desk]:
    with desk() as opened:
        yield opened


@pytest.mark.parametrize(("content", "code"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_taken_is_answered_and_logged_without_patients(content: bytes, code: int) -> None:
    with desk(message_bytes=1 << 20) as site, site.call() as caller, capture_logs() as logs:
        caller.say(framed(content))
        answer = caller.hear()
        read = parse(answer)
        assert read.first("MSA").value(1) == ("AR" if 200 <= code <= 203 else "AE")
        assert read.first("ERR").value(3) == str(code)
        validated(answer.decode())
        if number := re.search(rb"\|(C\d+)\|", content):
            assert read.first("MSA").value(2) == number[1].decode()
        (line,) = [line for line in logs if line["event"] == "order refused"]
        assert line["code"] == code
        for word in (b"Doe", b"P-1", b"A-17", b"PL-1"):
            assert word not in answer
            assert word.decode() not in str(line)
        with site.database.read() as tx:
            assert tx.orders.about("1.2.3", "A-17") == {}
        assert caller.told(order()) == "AA", "the connection lives"


BYTES = order(accession="ACC-1")
PIECES = {
    "whole": [framed(BYTES)],
    "byte by byte": [bytes([byte]) for byte in framed(BYTES)],
    "VT alone": [b"\x0b", BYTES + b"\x1c\r"],
    "FS alone": [b"\x0b" + BYTES, b"\x1c", b"\r"],
    "CR late": [b"\x0b" + BYTES + b"\x1c", b"\r"],
    "what is between frames": [b"\r\n", b"\n", framed(BYTES), b"\r\n"],
    "with a mark of byte order": [framed(b"\xef\xbb\xbf" + BYTES)],
    "lines": [framed(BYTES.replace(b"\r", b"\n"))],
    "no CR at the end": [framed(BYTES.rstrip(b"\r"))],
}


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES.keys())
def test_an_order_in_pieces_has_one_effect(pieces: list[bytes]) -> None:
    with desk(message=5) as site, site.call() as caller:
        caller.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            caller.say(piece)
        assert b"MSA|AA|" in caller.hear()
        assert site.after("film").level is Level.STAT
        assert site.audited() == ["stat"]


@pytest.mark.parametrize("count", [2, 7, 40])
def test_several_messages_in_one_packet_are_answered_each_in_order(site: Desk, count: int) -> None:
    contents = [order(placer=f"PL-{number}", accession=f"N-{number}") for number in range(count)]
    with site.call() as caller:
        caller.say(b"".join(map(framed, contents)))
        for content in contents:
            answer = parse(caller.hear())
            assert (answer.first("MSA").value(1), answer.first("MSA").value(2)) == ("AA", parse(content).control_id)


def test_a_bad_message_among_good_ones_costs_itself_only(site: Desk) -> None:
    bad = order(control="HD")
    with site.call() as caller:
        caller.say(b"".join(map(framed, (order(accession="G-1"), bad, order(accession="G-2", placer="PL-2")))))
        assert [parse(caller.hear()).first("MSA").value(1) for _ in range(3)] == ["AA", "AE", "AA"]


UNFRAMED = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), None),
    "DICOM": (b"\x01\x00\x00\x00\x00\xce\x00\x01\x00\x00", None),
    "zeros and a V": (b"\x00" * 50 + b"V", None),
    "no VT": (BYTES + b"\x1c\r", None),
    "FS without CR": (b"\x0b" + BYTES + b"\x1cX", "AE"),
    "a frame within a frame": (b"\x0b" + BYTES + framed(BYTES), "AE"),
    "too long": (b"\x0b" + BYTES + b"NTE|" + b"A" * 9000, "AE"),
    "endless": (b"\x0b" + BYTES + b"A" * 100_000, "AE"),
    "endless garbage": (b"\x0b" + b"A" * 100_000, None),
}


@pytest.mark.parametrize(("data", "said"), UNFRAMED.values(), ids=UNFRAMED.keys())
def test_what_is_no_frame_ends_the_connection(data: bytes, said: str | None) -> None:
    with desk() as site, capture_logs() as logs:
        with site.call() as caller:
            with suppress(ConnectionError):
                caller.say(data)
            answer = caller.hear()
            if said is not None:
                read = parse(answer)
                assert (read.first("MSA").value(1), read.first("MSA").value(2)) == (said, parse(BYTES).control_id)
                answer = caller.hear()
            assert answer == b""
        assert [line["event"] for line in logs] == ["order refused"]
        assert "Doe" not in str(logs)
        with site.database.read() as tx:
            assert tx.orders.about("1.2.3", "ACC-1") == {}
        site.takes_an_order()


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"\x0b", b"\x0bMSH|^~", framed(BYTES)[:-1]])
def test_half_a_message_or_none_is_not_waited_for(begun: bytes) -> None:
    with desk() as site, site.call() as caller:
        began = time.monotonic()
        caller.say(begun)
        assert caller.hear() == b""
        assert 0.2 < time.monotonic() - began < 4
        assert site.after("film").level is not Level.STAT


def test_who_drips_has_no_more_time_than_others() -> None:
    with desk() as site, site.call() as caller:
        began = time.monotonic()
        with suppress(OSError):
            for byte in framed(BYTES):
                caller.say(bytes([byte]))
                time.sleep(0.05)  # what a dripping peer does
        assert time.monotonic() - began < 8
        assert caller.hear() == b""


def test_who_does_not_take_its_answers_is_let_go() -> None:
    with desk() as site, site.call() as caller, capture_logs() as logs:
        site.listener.answer = lambda content, address: bytes(1 << 20)  # a few of them fill whatever lies between
        with suppress(OSError):
            caller.say(framed(BYTES) * 20)
        until(lambda: logs, 20, "let go")
        until(lambda: site.listener.connections == 0, 5, "its place is free")
        assert [line["cause"] for line in logs] == ["did not take the answer"]
        site.listener.answer = site.desk.answer
        site.takes_an_order()


def test_silent_callers_give_way_and_busy_ones_do_not() -> None:
    with desk(first=30, message=30) as site:
        silent = [site.call() for _ in range(LIMITS.connections)]
        until(lambda: site.listener.connections == LIMITS.connections, 5, "all in")
        until(lambda: took(site), 5, "one gave way", every=0.05)
        until(lambda: any(map(is_closed, silent)), 5, "and knows it")
        for one in silent:
            one.socket.close()
        until(lambda: site.listener.connections == 0, 5, "all gone")
        busy = [site.call() for _ in range(LIMITS.connections)]
        for one in busy:
            one.say(b"\x0bMSH")
        until(lambda: site.listener.connections == LIMITS.connections, 5, "all in")
        time.sleep(LIMITS.gives_way * 2)  # that nobody gives way cannot be waited for
        with site.call() as late:
            assert late.hear() == b""
        for one in busy:
            one.socket.close()


def is_closed(caller: Caller) -> bool:
    """Whether the listener has closed it; it has said nothing."""
    caller.socket.setblocking(False)
    try:
        return caller.socket.recv(1) == b""
    except BlockingIOError:
        return False


def took(site: Desk) -> bool:
    with site.call() as caller:
        with suppress(OSError):
            caller.say(framed(order(accession="ACC-1")))
        return b"MSA|AA|" in caller.hear()


def test_a_kept_connection_may_be_silent_for_long() -> None:
    with desk() as site, site.call() as caller:
        assert caller.told(order()) == "AA"
        time.sleep(LIMITS.first * 2)  # longer than a caller may be silent at first
        assert caller.told(order(control="XO", after=1)) == "AA"


def test_only_those_listed_may_connect() -> None:
    with desk(peers=("192.0.2.7",)) as site, capture_logs() as logs, site.call() as caller:
        assert caller.hear() == b""
        until(lambda: logs, 5, "logged")
        assert logs[0]["cause"] == "its address is not in hl7.allowed_peers"
    with desk(peers=("127.0.0.1",)) as site:
        site.takes_an_order()


def test_a_failure_that_nobody_foresaw_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    with desk() as site, site.call() as caller:
        monkeypatch.setattr(site.desk, "_take", lambda heard: 1 / 0)
        assert caller.told(order()) == "AE"
        monkeypatch.undo()
        assert caller.told(order()) == "AA"


def test_a_message_that_is_whole_when_it_ends_is_answered() -> None:
    site = Desk()
    with site.call() as caller:
        caller.say(framed(order(accession="ACC-1")) + b"\x0bMSH")
        assert b"MSA|AA|" in caller.hear()
        site.listener.stop(2)
        assert caller.hear() == b""
        assert not site.listener.is_listening
    with pytest.raises(OSError, match="refused"):
        site.call()


def test_acknowledgements_are_valid_and_go_back_to_who_asked(site: Desk) -> None:
    with site.call() as caller:
        caller.say(framed(order(kind="OMI^O23^OMI_O23", uid="1.2.3", sender="A&B|C^D", number="X1\\F\\2")))
        answer = caller.hear().decode()
    validated(answer)
    header = parse(answer.encode()).header
    assert (header.value(5), header.field(9), header.value(12)) == ("A", "ACK^O23^ACK", "2.5.1")
    assert parse(answer.encode()).first("MSA").value(2) == "X1|2"
