"""Results by C-STORE: whatever the peer does, a try ends in time, and as the table of statuses says."""

import gc
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt

from tests.certificates import Hospital
from tests.unit.hl7.peers import Caller, Peer
from tests.unit.reporting.results import DEVICE, STUDY, header, scored
from triage.clock import utc_now
from triage.dimse.bindings import Bindings
from triage.dimse.result_scu import DicomTransport
from triage.dimse.tls import TlsServer
from triage.dimse.tls_client import client_context
from triage.domain.commitment import SOP_CLASS_UID as COMMITMENT
from triage.domain.delivery import DicomObject, PeerAway, PeerRefused, Receipt
from triage.domain.destination import Destination
from triage.domain.ours import COMPREHENSIVE_SR
from triage.domain.result import Result
from triage.domain.store_status import FATES, LATER, NEVER, TAKEN, fate_of
from triage.reporting.structured_report import structured_report

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
RESULT = scored(0.9)
PROMPT = 10.0
"""Seconds for a peer that answers: more than any takes."""


def make(result: Result, predecessors: tuple[Result, ...]) -> Sequence[DicomObject]:
    return [structured_report(result, predecessors, [header()], DEVICE)]


@contextmanager
def pacs(
    *handlers: tuple[Any, Callable[..., Any]],
    classes: Sequence[str] = (COMPREHENSIVE_SR,),
    syntaxes: Sequence[str] = (EXPLICIT, IMPLICIT),
    tls: ssl.SSLContext | None = None,
    configure: Callable[[AE], None] = lambda entity: None,
) -> Iterator[int]:
    """A Storage SCP of pynetdicom; gives its port."""
    entity = AE(ae_title="PACS")
    for one in classes:
        entity.add_supported_context(UID(one), [UID(syntax) for syntax in syntaxes])
    configure(entity)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers), ssl_context=tls)
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        with warnings.catch_warnings():  # it forgets sockets of callers that were cut off
            warnings.simplefilter("ignore", ResourceWarning)
            del server
            gc.collect()


def transport(port: int, within: float = PROMPT, **options: Any) -> DicomTransport:
    options = {"make": make, **options}
    return DicomTransport(Destination("PACS", "127.0.0.1", port), ae_title="TRIAGE", within_seconds=within, **options)


def stored(status: int = 0x0000, into: list[Dataset] | None = None) -> tuple[Any, Callable[..., int]]:
    def store(event: evt.Event) -> int:
        if into is not None:
            dataset = event.dataset
            dataset.file_meta = event.file_meta
            into.append(dataset)
        return status

    return evt.EVT_C_STORE, store


@dataclass
class Answering:
    """A PACS that gives the status that it is told."""

    port: int = 0
    status: int = 0x0000


@pytest.fixture(scope="module")
def answering() -> Iterator[Answering]:
    told = Answering()
    with pacs((evt.EVT_C_STORE, lambda event: told.status)) as told.port:
        yield told


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_report_arrives_as_it_was_made(syntax: str) -> None:
    got: list[Dataset] = []
    with pacs(stored(into=got), syntaxes=[syntax]) as port:
        assert transport(port).send(RESULT, ()) == Receipt(status="0x0000")
    assert got[0].SOPInstanceUID == make(RESULT, ())[0].sop_instance_uid
    assert got[0].StudyInstanceUID == STUDY
    assert got[0].file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        *((status, TAKEN) for status in (0x0000, 0xB000, 0xB006, 0x0111)),
        *((status, LATER) for status in (0xA700, 0xA7FF, 0x0110, 0x0213, 0xFE00)),
        *((status, NEVER) for status in (0xA900, 0xC000, 0xC123, 0x0122, 0x0124, 0x4711)),
    ],
)
def test_a_status_means_what_the_table_says(status: int, fate: str, answering: "Answering") -> None:
    assert fate_of(status) == fate
    answering.status = status
    if fate == TAKEN:
        assert transport(answering.port).send(RESULT, ()) == Receipt(status=f"0x{status:04X}")
        return
    with pytest.raises(PeerAway if fate == LATER else PeerRefused, match=f"{status:04X}"):
        transport(answering.port).send(RESULT, ())


def test_no_status_has_two_fates() -> None:
    counted = [status for statuses, _ in FATES for status in statuses]
    assert len(counted) == len(set(counted))


def test_each_object_is_answered_for_itself() -> None:
    answers = iter([0x0000, 0xA900, 0xA900, 0x0000])

    def two(result: Result, predecessors: tuple[Result, ...]) -> Sequence[DicomObject]:
        return [*make(result, predecessors), *make(scored(0.95), predecessors)]

    with pacs((evt.EVT_C_STORE, lambda event: next(answers))) as port:
        status = transport(port, make=two).send(RESULT, ()).status
        assert status.startswith("0x0000; "), "the report counts: a later one has to name it"
        assert "A900" in status
        with pytest.raises(PeerRefused, match="A900"):
            transport(port, make=two).send(RESULT, ())


def test_who_takes_no_report_is_told_apart_from_who_is_away() -> None:
    with pacs(stored(), classes=["1.2.840.10008.5.1.4.1.1.7"]) as port, pytest.raises(PeerRefused, match="SOP classes"):
        transport(port).send(RESULT, ())


def test_whoever_lets_nobody_in_is_away() -> None:
    def known(entity: AE) -> None:
        entity.require_calling_aet = ["SOMEBODY"]

    with pacs(stored(), configure=known) as port, pytest.raises(PeerAway, match="does it know our AE title, "):
        transport(port).send(RESULT, ())
    full = pacs(stored(), configure=lambda entity: setattr(entity, "_maximum_associations", 0))
    with full as port, pytest.raises(PeerAway, match="no room"):
        transport(port).send(RESULT, ())


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(PeerAway, match="does not answer"):
        transport(port).send(RESULT, ())


def silent(caller: Caller) -> None:
    caller.over.wait(30)


def dripping(caller: Caller) -> None:
    """An A-ASSOCIATE-AC of which a byte comes now and then: each is within any limit for one wait."""
    caller.socket.sendall(b"\x02\x00\x00\x00\x10\x00")
    while not caller.over.wait(0.1):
        caller.socket.sendall(b"\0")


def hanging_up(caller: Caller) -> None:
    caller.socket.recv(65536)


@pytest.mark.parametrize("behaviour", [silent, dripping])
def test_a_peer_that_says_nothing_or_next_to_nothing_costs_no_more_than_is_allowed(behaviour: Callable[[Caller], None]) -> None:
    peer = Peer(behaviour)
    try:
        began = time.monotonic()
        with pytest.raises(PeerAway):
            transport(peer.port, within=0.8).send(RESULT, ())
        took = time.monotonic() - began
    finally:
        peer.close()
    print(f"{behaviour.__name__}: given up after {took:.2f} s")
    assert took < 3


def test_a_peer_that_hangs_up_is_away() -> None:
    peer = Peer(hanging_up)
    try:
        with pytest.raises(PeerAway):
            transport(peer.port).send(RESULT, ())
    finally:
        peer.close()


def test_a_peer_that_takes_the_object_and_never_answers_is_away_in_time() -> None:
    over = threading.Event()

    def hang(event: evt.Event) -> int:
        over.wait(30)
        return 0x0000

    with pacs((evt.EVT_C_STORE, hang)) as port:
        sending = transport(port, within=1.0)
        began = time.monotonic()
        with pytest.raises(PeerAway):
            sending.send(RESULT, ())
        took = time.monotonic() - began
        over.set()
    assert took < 3


def test_a_peer_that_aborts_in_the_middle_is_away_and_the_next_try_arrives() -> None:
    got: list[Dataset] = []
    tries: list[int] = []

    def once(event: evt.Event) -> int:
        tries.append(1)
        if len(tries) == 1:
            event.assoc.abort()
            return 0x0000
        got.append(event.dataset)
        return 0x0000

    with pacs((evt.EVT_C_STORE, once)) as port:
        sending = transport(port)
        with pytest.raises(PeerAway):
            sending.send(RESULT, ())
        assert sending.send(RESULT, ()).status == "0x0000"
    assert [one.SOPInstanceUID for one in got] == [make(RESULT, ())[0].sop_instance_uid]


def test_by_tls_to_whom_it_was_addressed_and_to_nobody_else(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path / "hospital")
    for name, title in (("us", "TRIAGE"), ("pacs", "PACS"), ("stranger", "STRANGER")):
        hospital.issue(name, title)

    def calling() -> Any:
        return client_context(hospital.files("us"), ae_title="PACS", host="127.0.0.1", bindings=Bindings(), clock=utc_now)

    with pacs(stored(), tls=TlsServer(hospital.files("pacs"), Bindings(), utc_now).context()) as port:
        assert transport(port, tls=calling).send(RESULT, ()).status == "0x0000"
    got: list[Dataset] = []
    stranger = TlsServer(hospital.files("stranger"), Bindings(), utc_now).context()
    with pacs(stored(into=got), tls=stranger) as port, pytest.raises(PeerAway, match="no DICOM TLS"):
        transport(port, tls=calling).send(RESULT, ())
    assert got == []


def committing(keeps: Callable[[list[Any]], list[Any]] | None) -> tuple[Any, Callable[..., Any]]:
    """Answers N-ACTION and reports on the same association. ``keeps``: which of the objects; ``None``: it says nothing."""

    def action(event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        if keeps is not None:
            report = Dataset()
            report.TransactionUID = asked.TransactionUID
            report.ReferencedSOPSequence = keeps(list(asked.ReferencedSOPSequence))
            association = event.assoc
            threading.Thread(
                target=lambda: association.send_n_event_report(report, 1, UID(COMMITMENT), UID("1.2.840.10008.1.20.1.1")),
                daemon=True,
            ).start()
        return 0x0000, None

    return evt.EVT_N_ACTION, action


BOTH = (COMPREHENSIVE_SR, COMMITMENT)


def test_what_is_kept_is_said_on_the_same_association() -> None:
    with pacs(stored(), committing(list), classes=BOTH) as port:
        assert transport(port, commitment=True).send(RESULT, ()) == Receipt(status="0x0000", committed=True)


def test_what_is_not_kept_is_sent_again() -> None:
    losing = pacs(stored(), committing(lambda asked: []), classes=BOTH)
    with losing as port, pytest.raises(PeerAway, match="does not keep 1"):
        transport(port, commitment=True).send(RESULT, ())


def test_a_report_that_does_not_come_leaves_it_delivered() -> None:
    with pacs(stored(), committing(None), classes=BOTH) as port:
        assert transport(port, within=2.5, commitment=True).send(RESULT, ()) == Receipt(status="0x0000", committed=False)


def test_who_cannot_be_asked_is_not() -> None:
    with pacs(stored()) as port:
        assert transport(port, commitment=True).send(RESULT, ()) == Receipt(status="0x0000", committed=None)
