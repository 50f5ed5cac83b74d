"""Requestors of storage commitment: a modality that asks, and the place where it listens for reports."""

import gc
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association

from tests.integration.service import until
from tests.unit.dimse.requests import EXPLICIT, IMPLICIT, action
from triage.dimse.requestor import steady

CLASS, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


@dataclass
class Heard:
    """What came to a requestor. ``answer``: the status it gives to each report; ``None``: it says nothing for a while."""

    answer: Callable[[], int | None] = lambda: 0x0000
    reports: list[dict[str, Any]] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    roles: list[tuple[bool, bool]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def report(self, event: evt.Event) -> tuple[int, None]:
        """Answer EVT_N_EVENT_REPORT."""
        told = event.event_information
        self.callers.append(event.assoc.requestor.ae_title)
        context = event.assoc.accepted_contexts[0]
        self.roles.append((bool(context.as_scu), bool(context.as_scp)))
        self.reports.append(
            {
                "type": event.event_type,
                "transaction": str(told.TransactionUID),
                "committed": [str(one.ReferencedSOPInstanceUID) for one in told.get("ReferencedSOPSequence", [])],
                "failed": {
                    str(one.ReferencedSOPInstanceUID): int(one.FailureReason) for one in told.get("FailedSOPSequence", [])
                },
            }
        )
        answer = self.answer()
        if answer is None:
            self.over.wait(60)
            return 0x0110, None
        return answer, None

    def of(self, transaction: str) -> list[dict[str, Any]]:
        """The reports on one transaction."""
        return [one for one in self.reports if one["transaction"] == transaction]

    def wait(self, transaction: str, seconds: float = 20, count: int = 1) -> dict[str, Any]:
        """The last of ``count`` reports on a transaction."""
        until(lambda: len(self.of(transaction)) >= count, seconds, f"report {count} on {transaction}")
        return self.of(transaction)[-1]


@contextmanager
def listening(ae_title: str, heard: Heard, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A requestor's own SCP for reports; gives its port. ``tls``: what it serves by."""
    entity = AE(ae_title=ae_title)
    entity.add_supported_context(UID(CLASS), [UID(EXPLICIT), UID(IMPLICIT)], scu_role=False, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, heard.report)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, ssl_context=tls)
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        heard.over.set()
        server.shutdown()
        with warnings.catch_warnings():  # the library forgets sockets of callers that were killed
            warnings.simplefilter("ignore", ResourceWarning)
            del server
            gc.collect()


@contextmanager
def asking(
    port: int, heard: Heard, *, calling: str = "MODALITY", syntax: str = EXPLICIT, tls: ssl.SSLContext | None = None
) -> Iterator[Association]:
    """An association on which storage commitment is asked for; it is released at the end."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.network_timeout = 15
    entity.dimse_timeout = 30
    association = entity.associate(
        "127.0.0.1",
        port,
        contexts=[build_context(UID(CLASS), UID(syntax))],
        ae_title="TRIAGE",
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, heard.report)],
        tls_args=(tls, None) if tls else None,
    )
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            # apart: the library's release waits for its own reactor, which may be gone
            ending = threading.Thread(target=association.release, daemon=True)
            ending.start()
            ending.join(10)


def ask(
    association: Association,
    transaction: str,
    references: Sequence[tuple[str, str]],
    *,
    action_type: int = 1,
    sop_class_uid: str = CLASS,
    sop_instance_uid: str = INSTANCE,
    bare: bool = False,
) -> int:
    """The status of an N-ACTION; ``bare``: without a data set."""
    status, _ = steady(association).send_n_action(
        None if bare else action(transaction, references),
        action_type,
        UID(sop_class_uid),
        UID(sop_instance_uid),
        meta_uid=UID(CLASS),
    )
    return int(status.Status) if "Status" in status else -1
