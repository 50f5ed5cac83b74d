"""A move destination that takes the association and then reads nothing: it holds nobody for ever."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.films import film
from tests.unit.domain import make
from triage.dimse import move_scu
from triage.dimse.negotiation import negotiate, parse_request
from triage.domain.destination import Destination
from triage.domain.instance import Instance

DX, EXPLICIT = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1"


@pytest.fixture
def deaf() -> Iterator[Destination]:
    listening = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept() -> None:
        connected, _ = listening.accept()
        kept.append(connected)
        (length,) = struct.unpack(">2xI", connected.recv(6, socket.MSG_WAITALL))
        _, accepted = negotiate(parse_request(connected.recv(length, socket.MSG_WAITALL)), {DX: [EXPLICIT]})
        connected.sendall(accepted)

    thread = threading.Thread(target=accept)
    thread.start()
    yield Destination("ARCHIVE", "127.0.0.1", listening.getsockname()[1])
    thread.join(10)
    for one in (listening, *kept):
        one.close()


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Instance, Path]:
    """More than the buffers between two sockets hold."""
    path = tmp_path / "film.dcm"
    path.write_bytes(film("1.2", "1.2.1.1", rows=4000, columns=3000))
    return make.instance("1.2", 1, make.NOW), path


@pytest.mark.parametrize(("film_within", "is_over"), [(0.5, lambda: False), (300.0, lambda: True)], ids=["in time", "cut"])
def test_a_destination_that_does_not_read_is_left(
    deaf: Destination,
    stored: tuple[Instance, Path],
    monkeypatch: pytest.MonkeyPatch,
    film_within: float,
    is_over: Callable[[], bool],
) -> None:
    monkeypatch.setattr(move_scu, "FILM_WITHIN", film_within)
    one, path = stored
    before, begun = set(threading.enumerate()), time.monotonic()
    delivery = move_scu.Delivery(
        [one], deaf, ae_title="TRIAGE", originator=("VIEWER", 1), local=lambda digest: nullcontext(path), is_over=is_over
    )
    with path.open("rb") as stream:
        assert not delivery.send(one, stream)
        assert not delivery.send(one, stream), "the association is over"
    delivery.close()
    assert time.monotonic() - begun < 20
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread.name
