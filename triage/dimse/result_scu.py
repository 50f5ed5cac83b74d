"""Results by C-STORE (PS3.4 B): the objects of one result on one association, each answered for itself."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO

from pydicom import dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from triage.dimse.commitment_ask import REPORT_WITHIN, Asked, context_for_commitment
from triage.dimse.requestor import steady
from triage.dimse.tls_client import ClientContext
from triage.domain.delivery import DicomObject, PeerAway, PeerRefused, Receipt
from triage.domain.destination import Destination
from triage.domain.result import Result
from triage.domain.store_status import SUCCESS, check_taken
from triage.imaging.elements import keep_quiet
from triage.services.within import Within

Make = Callable[[Result, tuple[Result, ...]], Sequence[DicomObject]]
"""The objects that a result is sent as, the report first."""

REJECTED_TRANSIENT = 2  # result of an A-ASSOCIATE-RJ (PS3.8 9.3.4)
PART_WITHIN = 2.0
"""Seconds that a peer has to answer the release: the objects are with it already."""


class DicomTransport:
    """See :class:`triage.services.transport.Transport`.

    ``ae_title``: ours. ``tls`` makes what the destination is called by; ``None``: without TLS. ``commitment``: ask on the same
    association whether the objects are kept (PS3.4 J).
    """

    def __init__(
        self,
        to: Destination,
        *,
        ae_title: str,
        within_seconds: float,
        make: Make,
        tls: Callable[[], ClientContext] | None = None,
        commitment: bool = False,
    ) -> None:
        self._to = to
        self._ae_title = ae_title
        self._make = make
        self._tls = tls
        self._commitment = commitment
        self._seconds = within_seconds
        self._within = Within(within_seconds)
        self._reports_within = REPORT_WITHIN
        self._line: _Line | None = None

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        """Make the objects and store them; see the Protocol."""
        objects = self._make(result, predecessors)
        asked = Asked(result.commitment_uid, self._reports_within) if self._commitment else None
        return self._within.run(lambda deadline: self._deliver(objects, asked, deadline), self.close)

    def close(self) -> None:
        """End the association at hand, from another thread: the library's own threads would keep the process."""
        if self._line is not None:
            self._line.shut()

    def _deliver(self, objects: Sequence[DicomObject], asked: Asked | None, deadline: float) -> Receipt:
        keep_quiet()
        with self._associated(objects, asked) as association:
            statuses, remarks = [self._store(association, objects[0])], list[str]()
            for one in objects[1:]:
                try:
                    statuses.append(self._store(association, one))
                except PeerRefused as error:  # the report is there, and counts: the next one has to name it
                    remarks.append(f"; {error}")
                    objects = [other for other in objects if other is not one]
            committed = self._committed(asked, objects, association, deadline) if asked is not None else None
        telling = next((status for status in statuses if status != SUCCESS), SUCCESS)
        return Receipt(status=f"0x{telling:04X}{''.join(remarks)}", committed=committed)

    def _committed(
        self, asked: Asked, objects: Sequence[DicomObject], association: Association, deadline: float
    ) -> bool | None:
        """One that does not report here is not waited for again: it tells our listener (``commitment_heard.py``)."""
        committed = asked.committed(objects, association, deadline)
        self._reports_within = 0.0 if committed is False else REPORT_WITHIN
        return committed

    @contextmanager
    def _associated(self, objects: Sequence[DicomObject], asked: Asked | None) -> Iterator[Association]:
        association = self._associate(objects, asked)
        try:
            yield association
        finally:
            association.acse_timeout = PART_WITHIN
            if association.is_established:
                association.release()

    def _associate(self, objects: Sequence[DicomObject], asked: Asked | None) -> Association:
        _config.LOG_HANDLER_LEVEL = "none"  # its own handlers would write identifiers to the log
        tls = self._tls() if self._tls is not None else None
        entity = self._line = _Line(ae_title=self._ae_title)
        entity.connection_timeout = entity.acse_timeout = self._seconds
        entity.dimse_timeout = entity.network_timeout = self._seconds
        classes = dict.fromkeys(one.sop_class_uid for one in objects)
        contexts = [build_context(UID(one), [ExplicitVRLittleEndian, ImplicitVRLittleEndian]) for one in classes]
        heard: list[tuple[object, Callable[..., object]]] = []
        if asked is not None:
            contexts.append(context_for_commitment())
            heard.append((evt.EVT_N_EVENT_REPORT, asked.hear))
        association = entity.associate(
            self._to.host,
            self._to.port,
            contexts=contexts,
            ae_title=self._to.ae_title,
            tls_args=(tls, self._to.host) if tls is not None else None,
            evt_handlers=heard,
        )
        if not association.is_established:
            entity.forget()
            raise self._failure(association, tls)
        return association

    def _failure(self, association: Association, tls: ClientContext | None) -> PeerAway | PeerRefused:
        if tls is not None and tls.failure is not None:
            return PeerAway(f"{self._to}: no DICOM TLS: {tls.failure}")
        if association.is_rejected:
            if association.acceptor.primitive.result == REJECTED_TRANSIENT:
                return PeerAway(f"{self._to} has no room for an association now")
            # of no result in particular: once its administrator has let us in, all of them go out by themselves
            return PeerAway(f"{self._to} refuses the association: does it know our AE title, {self._ae_title}?")
        if association.rejected_contexts:
            return PeerRefused(f"{self._to} takes none of the SOP classes of results")
        return PeerAway(f"{self._to} does not answer")

    def _store(self, association: Association, made: DicomObject) -> int:
        name = UID(made.sop_class_uid).name
        accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
        if association.is_established and made.sop_class_uid not in accepted:
            raise PeerRefused(f"{self._to} does not accept {name}")
        try:
            answer = steady(association).send_c_store(dcmread(BytesIO(made.content)))
        except RuntimeError:
            raise PeerAway(f"{self._to} ended the association") from None
        if "Status" not in answer:
            raise PeerAway(f"{self._to} gave no answer to a C-STORE")
        status = int(answer.Status)
        check_taken(status, name)
        return status


class _Line(AE):  # type: ignore[misc]
    """An application entity that keeps hold of its connection, from before it is made: the library does not let go of one."""

    _made: AssociationSocket | None = None
    _bare: socket.socket | None = None

    def _create_socket(self, *given: object) -> AssociationSocket:
        self._made = super()._create_socket(*given)
        self._bare = self._made.socket
        return self._made

    def shut(self) -> None:
        """End it, whatever it waits for: the connection, a handshake, an answer."""
        for connected in (self._bare, self._made.socket if self._made is not None else None):
            if connected is not None:
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Close what never came to a connection: the library drops it as it is."""
        if self._bare is not None:
            self._bare.close()
