"""One C-STORE (PS3.4 B, PS3.7 9.1.1): fragments in, the response out. Each object is answered for itself."""

import struct
import time
from collections.abc import Callable
from typing import Any

import structlog

from triage.dimse import command
from triage.dimse.command import Command
from triage.dimse.negotiation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Context
from triage.dimse.pdu import ProtocolError
from triage.domain.errors import CannotUnderstand, ClassNotNegotiated, TriageError
from triage.domain.identifiers import check_uid
from triage.services.receive import Claim, Reception

SUCCESS = 0x0000
COMMENT_LENGTH = 64
UIDS = (command.AFFECTED_SOP_CLASS_UID, command.AFFECTED_SOP_INSTANCE_UID)

Begin = Callable[[Claim], Reception]
Answered = Callable[[str, int, int, float], None]
"""Hears of each object: the sender's AE title, the status, bytes of the data set, seconds since its command."""


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """A blank preamble and the file meta information (PS3.10 7.1); the same for the same object, whoever sent it."""
    elements = (
        b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",  # File Meta Information Version
        _meta(0x0002, b"UI", sop_class_uid, "\0"),
        _meta(0x0003, b"UI", sop_instance_uid, "\0"),
        _meta(0x0010, b"UI", transfer_syntax_uid, "\0"),
        _meta(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, "\0"),
        _meta(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, " "),
    )
    content = b"".join(elements)
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(content))
    return bytes(128) + b"DICM" + length + content


def _meta(element: int, vr: bytes, value: str, padding: str) -> bytes:
    content = (value + padding * (len(value) % 2)).encode("ascii")
    return struct.pack("<HH2sH", 0x0002, element, vr, len(content)) + content


class Store:
    """The data set of one C-STORE-RQ on its way in.

    An object that is refused while it comes (no room, too large, no UID) is heard to its end and then answered: the
    association lives. ``most_bytes``: what is heard at most; a data set that goes on is no object.
    """

    def __init__(
        self,
        request: Command,
        context: Context,
        calling_ae_title: str,
        begin: Begin,
        most_bytes: int,
        answered: Answered = lambda sender, status, size_bytes, seconds: None,
    ) -> None:
        self._begun = time.monotonic()
        self._answered = answered
        self._request = request
        self._calling_ae_title = calling_ae_title
        self._heard = 0
        self._most_bytes = most_bytes
        self._reception: Reception | None = None
        self._refusal: BaseException | None = None
        try:
            self._reception = begin(self._claim(context))
        except Exception as error:
            self._refuse(error)

    def write(self, fragment: memoryview) -> None:
        """Take a fragment of the data set.

        Raises:
            ProtocolError: there is no end of it.
        """
        self._heard += len(fragment)
        if self._heard > self._most_bytes:
            raise ProtocolError("a data set without end")
        if self._reception is None:
            return
        try:
            self._reception.write(fragment)
        except Exception as error:
            self._refuse(error)

    def finish(self) -> bytes:
        """The C-STORE-RSP. 0x0000 only once the object is durable and indexed, or is a result that came back."""
        if self._reception is not None:
            try:
                instance = self._reception.finish()
            except Exception as error:
                self._refuse(error)
            else:
                if instance is not None:
                    self._log().info(
                        "stored",
                        sop_instance_uid=instance.sop_instance_uid,
                        digest=instance.digest,
                        size_bytes=instance.size_bytes,
                    )
                return self._answer(SUCCESS)
        assert self._refusal is not None
        return self._answer(*_fate(self._refusal))

    def _answer(self, status: int, comment: str = "") -> bytes:
        self._answered(self._calling_ae_title, status, self._heard, time.monotonic() - self._begun)
        return command.response(self._request, command.C_STORE_RSP, status, comment=comment, uids=UIDS)

    def abandon(self) -> None:
        """The association ended before the object did: nothing of it stays."""
        if self._reception is not None:
            self._reception.abandon()

    def _claim(self, context: Context) -> Claim:
        sop_class_uid = check_uid(self._request.text(command.AFFECTED_SOP_CLASS_UID), "AffectedSOPClassUID")
        sop_instance_uid = check_uid(self._request.text(command.AFFECTED_SOP_INSTANCE_UID), "AffectedSOPInstanceUID")
        if sop_class_uid != context.abstract_syntax:
            raise ClassNotNegotiated("the SOP class is not that of the presentation context")
        if not self._request.has_data_set:
            raise CannotUnderstand("no data set came with the command")
        return Claim(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            calling_ae_title=self._calling_ae_title,
            file_meta=file_meta(sop_class_uid, sop_instance_uid, context.transfer_syntax),
        )

    def _refuse(self, error: BaseException) -> None:
        self.abandon()
        self._reception = None
        status = f"{_fate(error)[0]:04X}"
        if isinstance(error, TriageError):
            report = self._log().error if error.alarm else self._log().warning
            report("refused", status=status, cause=str(error))
        else:
            # the message of an unforeseen error may quote the data set: only its kind and place are logged
            self._log().error("failed", status=status, kind=type(error).__name__, where=_where(error))
        self._refusal = error.with_traceback(None)  # its frames hold this object, and that holds it

    def _log(self) -> Any:
        return structlog.get_logger().bind(calling_ae_title=self._calling_ae_title)


def _fate(error: BaseException) -> tuple[int, str]:
    """Status and ErrorComment (0000,0902) of an error (PS3.4 B.2.3); a class that nobody named is 0xC1FF."""
    kind = type(error) if isinstance(error, TriageError) else TriageError
    return kind.status, kind.comment[:COMMENT_LENGTH]


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
