"""Whom the settings name: nobody by a slip of the pen."""

import pytest

from triage.dimse.peers import Peer
from triage.domain.errors import ConfigError


@pytest.mark.parametrize("text", ["VIEWER@", "VIEWER@ ", "VIEWER@viewer.example", "VIEWER@10.0.0", "@10.0.0.1", "", "A\\B"])
def test_half_a_peer_is_none(text: str) -> None:
    with pytest.raises(ConfigError):
        Peer.parse(text)


def test_a_peer_is_one_title_from_one_address() -> None:
    peer = Peer.parse("VIEWER@10.0.0.21")
    assert peer.admits("VIEWER ", "10.0.0.21")
    assert peer.admits("VIEWER", "::ffff:10.0.0.21"), "as a socket of both families has it"
    assert not peer.admits("VIEWER", "10.0.0.22")
    assert not peer.admits("OTHER", "10.0.0.21")
    assert Peer.parse("VIEWER@2001:DB8:0::1").admits("VIEWER", "2001:db8::1")
    assert Peer.parse("VIEWER").admits("VIEWER", "10.0.0.22")
