"""Sockets that are handed over: by name, to whom they are meant for, and open to no more than the settings say."""

import os
import socket
from collections.abc import Iterator

import pytest

from triage import listening
from triage.domain.errors import ConfigError
from triage.listening import handed_over, listen

GIVEN = {"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "dicom"}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        (GIVEN, {"dicom": 3}),
        (GIVEN | {"LISTEN_FDNAMES": "triage.socket"}, {"dicom": 3}),
        (GIVEN | {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "hl7:dicom"}, {"hl7": 3, "dicom": 4}),
        (GIVEN | {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "one:two"}, {}),
        (GIVEN | {"LISTEN_FDNAMES": "hl7"}, {"hl7": 3}),
        (GIVEN | {"LISTEN_FDS": "0"}, {}),
        (GIVEN | {"LISTEN_PID": "9"}, {}),
        ({}, {}),
    ],
)
def test_by_name_and_for_whom_they_are_meant(environment: dict[str, str], found: dict[str, int]) -> None:
    assert handed_over(environment, 7, 1) == handed_over(environment, 8, 7) == found
    assert handed_over(environment, 1, 2) == {}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """One that is open to everybody, handed over to this process."""
    with socket.socket() as one:
        one.bind(("0.0.0.0", 0))
        monkeypatch.setattr(listening, "FIRST_DESCRIPTOR", one.fileno())
        for name, value in (GIVEN | {"LISTEN_PID": str(os.getpid())}).items():
            monkeypatch.setenv(name, value)
        yield one


def test_it_is_taken_and_goes_on_when_this_process_lets_it_go(given: socket.socket) -> None:
    given.listen()
    for _ in range(2):
        with listen("0.0.0.0", 11112, 8, "dimse.port") as taken:
            assert taken.getsockname() == given.getsockname()
            assert not os.get_inheritable(taken.fileno())
            with socket.create_connection(("127.0.0.1", given.getsockname()[1]), timeout=5):
                taken.accept()[0].close()


def test_one_open_to_more_than_the_settings_say_is_refused(given: socket.socket) -> None:
    given.listen()
    with pytest.raises(ConfigError, match=r"open at 0\.0\.0\.0, dimse\.host says 127\.0\.0\.1"):
        listen("127.0.0.1", 11112, 8, "dimse.port")


def test_one_that_does_not_listen_is_refused(given: socket.socket) -> None:
    with pytest.raises(ConfigError, match="does not listen"):
        listen("0.0.0.0", 11112, 8, "dimse.port")


def test_another_port_is_opened_as_ever(given: socket.socket) -> None:
    with listen("127.0.0.1", 0, 8, "hl7.port") as own:
        assert own.getsockname() != given.getsockname()
