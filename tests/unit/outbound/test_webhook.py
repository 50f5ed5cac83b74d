"""Results by webhook: what is told, what is not, and what an answer means."""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.hl7.peers import Caller, Peer
from tests.unit.outbound.servers import plain, serving
from tests.unit.reporting.results import KINDS, STUDY, excused, scored
from triage.domain.delivery import PeerAway, PeerRefused, Receipt
from triage.domain.instance import Facts
from triage.outbound.webhook import WebhookTransport, document, key_of

NAMED = Facts(patient_id="P-1", patient_name="Doe^Jane", patient_birth_date="19800102", accession_number="A-1")
RESULT = replace(scored(0.9, number=2), facts=NAMED)


def sent(url: str, token: str = "", within: float = 10) -> Receipt:
    return WebhookTransport(url, token=token, within_seconds=within).send(RESULT, (scored(0.1),))


def test_what_is_told_and_that_nobody_is_named() -> None:
    with serving(plain(204)) as server:
        assert sent(server.url, "secret") == Receipt(status="HTTP 204")
        (heard,) = server.heard
    assert heard.headers["Idempotency-Key"] == key_of(RESULT) == RESULT.uid("webhook")
    assert heard.headers["Authorization"] == "Bearer secret"
    told = json.loads(heard.body)
    assert told == document(RESULT, (scored(0.1),))
    assert told["supersedes"] == [key_of(scored(0.1))]
    assert (told["study_instance_uid"], told["accession_number"], told["number"]) == (STUDY, "A-1", 2)
    assert (told["level"], told["probability"], told["threshold"], told["reason"]) == ("flagged", 0.9, 0.5, None)
    assert told["decided_at"] == "2026-03-02T08:00:05+00:00"
    for secret in ("Doe", "Jane", "1980", "P-1"):
        assert secret.encode() not in heard.body


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_stands_exactly_where_there_is_one(kind: str) -> None:
    told = document(KINDS[kind], ())
    assert (told["probability"] is None) == (told["reason"] is not None)


def test_a_reason_is_its_stable_code() -> None:
    assert document(excused(), ())["reason"] == "cannot_decode"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, None), (201, None), (202, None), (204, None)]
    + [(status, PeerAway) for status in (401, 403, 407, 408, 425, 429, 500, 502, 503, 504)]
    + [(status, PeerRefused) for status in (301, 302, 307, 308, 400, 404, 409, 410, 422)],
)
def test_what_an_answer_means(status: int, expected: type[Exception] | None) -> None:
    with serving(plain(status, Location="http://127.0.0.1:1/")) as server:
        if expected is None:
            assert sent(server.url).status == f"HTTP {status}"
        else:
            with pytest.raises(expected, match=str(status)):
                sent(server.url)
        assert len(server.heard) == 1


def silent(caller: Caller) -> None:
    caller.over.wait(30)


def dripping_head(caller: Caller) -> None:
    caller.socket.sendall(b"HTTP/1.1 200 OK\r\n")
    while not caller.over.wait(0.1):
        caller.socket.sendall(b"X-More: 1\r\n")


def dripping_body(caller: Caller) -> None:
    caller.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not caller.over.wait(0.1):
        caller.socket.sendall(b" ")


def endless(caller: Caller) -> None:
    caller.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not caller.over.is_set():
        caller.socket.sendall(b" " * 65536)


def answering_half(caller: Caller) -> None:
    caller.socket.recv(65536)
    caller.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def no_http(caller: Caller) -> None:
    caller.socket.recv(65536)
    caller.socket.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def hanging_up(caller: Caller) -> None:
    caller.socket.recv(65536)


@pytest.mark.parametrize(
    "behaviour",
    [silent, dripping_head, dripping_body, endless, answering_half, no_http, hanging_up],
    ids=lambda one: one.__name__,
)
def test_a_peer_that_gives_no_whole_answer_is_away_in_time(behaviour: Callable[[Caller], None]) -> None:
    peer = Peer(behaviour)
    began = time.monotonic()
    try:
        with pytest.raises(PeerAway):
            sent(f"http://127.0.0.1:{peer.port}/hook", within=0.6)
        took = time.monotonic() - began
    finally:
        peer.close()
    print(f"{behaviour.__name__}: given up after {took:.2f} s")
    assert took < 2.5


def test_nobody_there_is_away_and_a_token_that_is_none_is_refused() -> None:
    with serving(plain(204)) as server, pytest.raises(PeerRefused, match="token"):
        sent(server.url, "a\r\nX-Injected: b")
    with pytest.raises(PeerAway):
        sent(server.url)


def test_a_try_that_still_hangs_is_not_joined_by_another() -> None:
    peer = Peer(silent)
    transport = WebhookTransport(f"http://127.0.0.1:{peer.port}/", token="", within_seconds=0.3)
    try:
        for _ in range(2):
            with pytest.raises(PeerAway):
                transport.send(RESULT, ())
    finally:
        peer.close()
