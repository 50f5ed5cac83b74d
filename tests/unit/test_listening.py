"""A port that is listened on: either family, and a sentence with the setting where it cannot be had."""

import socket

import pytest

from triage.domain.errors import ConfigError
from triage.listening import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_either_family_is_listened_on(host: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with listen(host, 0, 1, "dimse.port") as listening, socket.create_connection((host, listening.getsockname()[1]), 5):
        assert listening.getsockname()[0] == host


def test_a_port_that_is_taken_is_said_with_its_setting() -> None:
    with listen("127.0.0.1", 0, 1, "dimse.port") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^hl7.port: cannot listen on 127.0.0.1:{port} .*is it in use"):
            listen("127.0.0.1", port, 1, "hl7.port")
