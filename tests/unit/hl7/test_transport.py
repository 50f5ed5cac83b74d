"""Results to peers that are silent, slow, unwilling, wrong or dying: each ends as its table says, and in time."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import Hospital
from tests.unit.domain.make import NOW
from tests.unit.hl7.peers import Behaviour, Caller, Peer, ack, peer, takes
from tests.unit.hl7.results import result, validated
from triage.domain.delivery import NotDelivered, PeerAway, PeerRefused
from triage.hl7.acknowledgement import ERRORS
from triage.hl7.message import control_id
from triage.hl7.mllp import framed
from triage.hl7.structure import parse
from triage.hl7.transport import MllpTransport

WITHIN = 0.4
LATER = 2.0
PATIENT = 20.0
"""How much longer than allowed a try may seem to take on a machine with other things to do."""


@contextmanager
def transport(port: int, within: float = WITHIN, context: ssl.SSLContext | None = None) -> Iterator[MllpTransport]:
    made = MllpTransport(
        "127.0.0.1", port, within_seconds=within, application="RIS", facility="HOSP", clock=lambda: NOW, context=context
    )
    try:
        yield made
    finally:
        made.close()


def silent(caller: Caller) -> None:
    caller.hear()
    caller.over.wait()


def deaf(caller: Caller) -> None:
    caller.over.wait()


def closes(caller: Caller) -> None:
    caller.hear()


def closes_at_once(caller: Caller) -> None:
    return


def resets(caller: Caller) -> None:
    caller.hear()
    caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def drips(caller: Caller) -> None:
    for byte in framed(ack("AA", caller.hear())):
        if caller.over.wait(0.05):
            return
        caller.socket.sendall(bytes([byte]))


def drips_spaces(caller: Caller) -> None:
    caller.hear()
    while not caller.over.wait(0.02):
        caller.socket.sendall(b"\r\n")


def dies_half_way(caller: Caller) -> None:
    answer = framed(ack("AA", caller.hear()))
    caller.socket.sendall(answer[: len(answer) // 2])


def says(answer: bytes) -> Behaviour:
    def behaviour(caller: Caller) -> None:
        caller.hear()
        caller.socket.sendall(answer)
        caller.over.wait()

    return behaviour


def answers(said: str, error: str = "") -> Behaviour:
    def behaviour(caller: Caller) -> None:
        while True:
            caller.say(said, caller.hear(), error)

    return behaviour


def other(caller: Caller) -> None:
    caller.socket.sendall(framed(ack("AA", caller.hear()).replace(control_id(result()).encode(), b"ANOTHER")))
    caller.over.wait()


OTHER = b"MSH|^~\\&|RIS||||20260302||ACK|1|P|2.5.1\r"
AWAY = {
    "silent": silent,
    "deaf": deaf,
    "closes": closes,
    "closes at once": closes_at_once,
    "resets": resets,
    "drips": drips,
    "drips what is between frames": drips_spaces,
    "dies half-way": dies_half_way,
    "garbage": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a frame of garbage": says(framed(b"\x00\xff\xfe nonsense")),
    "an empty frame": says(framed(b"")),
    "no MSA": says(framed(OTHER)),
    "MSA of another message": other,
    "MSA without control id": says(framed(OTHER + b"MSA|AA\r")),
    "FS without CR": says(b"\x0b" + OTHER + b"\x1cX"),
    "a frame within a frame": says(b"\x0bMSH\x0b" + OTHER + b"\x1c\r"),
    "an answer without end": says(b"\x0b" + b"A" * (1 << 17)),
    "a word that is none": answers("XX"),
    "AE": answers("AE"),
    "CE": answers("CE"),
}


def tried(behaviour: Behaviour, within: float = PATIENT) -> tuple[type[Exception], str, float, Peer]:
    with peer(behaviour) as running, transport(running.port, within) as sender:
        began = time.monotonic()
        with pytest.raises(NotDelivered) as raised:
            sender.send(result(), ())
        return type(raised.value), str(raised.value), time.monotonic() - began, running


@pytest.mark.parametrize("behaviour", AWAY.values(), ids=AWAY.keys())
def test_a_peer_that_does_not_take_it_now_is_away_and_in_time(behaviour: Behaviour) -> None:
    kind, words, took, _ = tried(behaviour, WITHIN)
    assert kind is PeerAway
    assert took < WITHIN + LATER
    assert "Doe" not in words
    assert "P-1" not in words


@pytest.mark.parametrize("said", ["AE", "CE", "AR", "CR"])
@pytest.mark.parametrize("code", [code for code in ERRORS if code])
def test_the_code_decides_whether_to_try_again(said: str, code: int) -> None:
    kind, words, _, running = tried(answers(said, str(code)))
    assert kind is (PeerAway if code in (204, 206, 207) else PeerRefused)
    assert words == f"{said}: {code} {ERRORS[code][0]}"
    assert len(running.messages) == 1


@pytest.mark.parametrize("said", ["AR", "CR"])
@pytest.mark.parametrize("code", ["", "999", "Doe^Jane"])
def test_a_rejection_without_a_code_is_for_good(said: str, code: str) -> None:
    assert tried(answers(said, code))[:2] == (PeerRefused, f"{said}: no code")


def test_err_1_of_old_receivers_is_read() -> None:
    def old(caller: Caller) -> None:
        message = caller.hear()
        lines = ack("AE", message) + b"ERR|PID^1^3^101&Required field missing&HL70357\r"
        caller.socket.sendall(framed(lines))

    assert tried(old)[:2] == (PeerRefused, "AE: 101 required field missing")


@pytest.mark.parametrize("said", ["AA", "CA", "aa"])
def test_what_is_taken_was_a_valid_message(said: str) -> None:
    with peer(answers(said)) as running, transport(running.port, PATIENT) as sender:
        assert sender.send(result(2), (result(),)).status == said.upper()
        (message,) = running.messages
    validated(message.decode())
    assert parse(message).control_id == control_id(result(2))


def test_nobody_listens() -> None:
    with peer(takes) as running:
        port = running.port
    with transport(port) as sender, pytest.raises(PeerAway, match="no connection"):
        sender.send(result(), ())


def test_the_connection_stays_open_between_results() -> None:
    with peer(takes) as running, transport(running.port, PATIENT) as sender:
        for number in range(1, 6):
            assert sender.send(result(number), ()).status == "AA"
        assert (running.connections, len(running.messages)) == (1, 5)


@pytest.mark.parametrize("dying", [closes, resets, dies_half_way])
def test_a_dead_connection_is_opened_anew_and_the_message_is_the_same(dying: Behaviour) -> None:
    def once_then_dies(caller: Caller) -> None:
        caller.say("AA", caller.hear())
        dying(caller)

    with peer(once_then_dies, takes) as running, transport(running.port, PATIENT) as sender:
        sender.send(result(), ())
        assert sender.send(result(2), ()).status == "AA"
        assert running.connections == 2
        assert running.messages[-1] == running.messages[-2]


def test_a_connection_that_the_peer_closed_meanwhile_is_opened_anew() -> None:
    def once(caller: Caller) -> None:
        caller.say("AA", caller.hear())

    with peer(once, takes) as running, transport(running.port, PATIENT) as sender:
        sender.send(result(), ())
        running._threads[0].join(5)
        assert sender.send(result(2), ()).status == "AA"
        assert [parse(one).control_id for one in running.messages] == [control_id(result()), control_id(result(2))]


def test_a_late_answer_is_not_taken_for_that_of_the_next() -> None:
    def late(caller: Caller) -> None:
        first = caller.hear()
        caller.over.wait(1.2)
        caller.say("AA", first)
        caller.over.wait()

    with peer(late, answers("AR")) as running, transport(running.port, 1.0) as sender:
        with pytest.raises(PeerAway):
            sender.send(result(), ())
        with pytest.raises(PeerRefused):
            sender.send(result(2), ())


def test_after_an_answer_that_is_none_the_next_result_goes_over_a_new_connection() -> None:
    with peer(other, takes) as running, transport(running.port, PATIENT) as sender:
        with pytest.raises(PeerAway, match="another message"):
            sender.send(result(), ())
        assert sender.send(result(2), ()).status == "AA"
        assert running.connections == 2


def test_a_second_answer_to_the_last_result_is_not_taken_for_that_of_the_next() -> None:
    answered, said_twice = threading.Event(), threading.Event()

    def twice(caller: Caller) -> None:
        message = caller.hear()
        caller.say("AA", message)
        answered.wait(PATIENT)
        caller.say("AR", message)
        said_twice.set()
        caller.over.wait()

    with peer(twice, takes) as running, transport(running.port, PATIENT) as sender:
        sender.send(result(), ())
        answered.set()
        assert said_twice.wait(PATIENT)
        assert sender.send(result(2), ()).status == "AA"


def test_by_tls_to_whom_its_certificate_names(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    hospital.issue("server", hosts=["127.0.0.1"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    client = ssl.create_default_context(cafile=str(hospital.ca))

    def secured(caller: Caller) -> None:
        with server.wrap_socket(caller.socket, server_side=True) as caller.socket:
            takes(caller)

    with peer(secured) as running:
        with transport(running.port, PATIENT, client) as sender:
            assert sender.send(result(), ()).status == "AA"
            assert sender.send(result(2), ()).status == "AA"
            assert running.connections == 1
        with transport(running.port, PATIENT, ssl.create_default_context()) as stranger, pytest.raises(PeerAway):
            stranger.send(result(), ())
    with peer(deaf) as mute, transport(mute.port, WITHIN, client) as sender:
        began = time.monotonic()
        with pytest.raises(PeerAway, match="no answer"):
            sender.send(result(), ())
        assert time.monotonic() - began < WITHIN + LATER
