"""A film on its way to a peer that reads as slowly as it may: it holds its place no longer than a film may take."""

import socket
import threading
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

from triage.dimse import channel
from triage.dimse.channel import Channel
from triage.dimse.negotiation import Context
from triage.dimse.pdu import Connection, Ended, TooSlow

FILM, SYNTAX = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1"


class Endless(BytesIO):
    """A film that is never over, as for a peer that takes a few bytes every ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.is_begun = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.is_begun.set()
        return bytes(size or 0)


@pytest.fixture
def open_channel() -> Iterator[Callable[[Callable[[], bool]], Channel]]:
    """To a peer that reads all that comes."""
    ours, theirs = socket.socketpair()

    def read_on() -> None:
        while theirs.recv(1 << 20):
            pass

    reader = threading.Thread(target=read_on)
    reader.start()
    yield lambda is_cut: Channel(Connection(ours), {1: Context(FILM, SYNTAX, True, True)}, 3, 1, 16384, is_cut)
    ours.close()
    reader.join(10)
    theirs.close()


def test_a_film_that_is_read_too_slowly_ends_the_association(
    open_channel: Callable[[Callable[[], bool]], Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "WITHIN", 0.2)
    with pytest.raises(TooSlow):
        open_channel(lambda: False).store(1, FILM, "1.2.3", Endless())


def test_what_is_cut_sends_no_more_of_a_film(open_channel: Callable[[Callable[[], bool]], Channel]) -> None:
    film = Endless()
    with pytest.raises(Ended):
        open_channel(film.is_begun.is_set).store(1, FILM, "1.2.3", film)
