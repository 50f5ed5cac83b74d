"""Responses that come at once are not lost: a peer that answers faster than pynetdicom pauses."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from triage.dimse.association import Association as OurAssociation
from triage.dimse.association import Echo, House
from triage.dimse.command import C_ECHO_RQ
from triage.dimse.contexts import OFFERED, VERIFICATION
from triage.dimse.requestor import steady


@pytest.fixture
def association() -> Iterator[Association]:
    """Of pynetdicom, with an acceptor of ours."""
    house = House(ae_title="TRIAGE", offered=OFFERED, services={C_ECHO_RQ: Echo}, admits=lambda caller, _: True)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def accept() -> None:
            connected, (address, _) = listening.accept()
            head = connected.recv(6, socket.MSG_WAITALL)
            request = connected.recv(struct.unpack(">xxI", head)[0], socket.MSG_WAITALL)
            OurAssociation(connected, address, request, house, lambda one: None).start()

        threading.Thread(target=accept).start()
        entity = AE()
        entity.dimse_timeout = 10
        port = listening.getsockname()[1]
        association = entity.associate("127.0.0.1", port, contexts=[build_context(VERIFICATION)], ae_title="TRIAGE")
    assert association.is_established
    yield association
    association.release()


def test_every_echo_of_many_is_answered(association: Association) -> None:
    for _ in range(200):
        assert steady(association).send_c_echo().Status == 0x0000


def test_a_reactor_that_has_passed_the_pause_is_waited_for(association: Association) -> None:
    """The moment at which pynetdicom would go on: the flag stands, the reactor has passed the checkpoint."""
    association._reactor_checkpoint.set()
    steady(association)
    assert not association._reactor_checkpoint.is_set()
    assert association._is_paused
    assert association.send_c_echo().Status == 0x0000
