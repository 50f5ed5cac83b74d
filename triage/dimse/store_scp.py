"""One C-STORE: from the request to the status that answers it."""

from collections.abc import Callable

import structlog
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import evt

from triage.dimse import status
from triage.domain.errors import CannotUnderstand, TriageError
from triage.domain.identifiers import check_uid
from triage.domain.instance import Instance
from triage.services.receive import Received

IMPLEMENTATION_CLASS_UID = "2.25.302684286193171927131637486146962213873"
IMPLEMENTATION_VERSION_NAME = "CHEST_TRIAGE_0_1"


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """A blank preamble and the file meta information (PS3.10 7.1); the same for the same object, whoever sent it."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return b"\x00" * 128 + b"DICM" + buffer.getvalue()


def handle_store(event: evt.Event, take: Callable[[Received], Instance]) -> Dataset:
    """Answer EVT_C_STORE. ``take`` returns once the object is durable and indexed, or raises what went wrong."""
    log = structlog.get_logger().bind(calling_ae_title=event.assoc.requestor.ae_title.strip())
    try:
        instance = take(_received(event))
    except TriageError as error:
        answer = status.failure(error)
        report = log.error if error.alarm else log.warning
        report("refused", status=f"{answer.Status:04X}", cause=str(error))
        return answer
    except Exception as error:
        answer = status.failure(error)
        # the message of an unforeseen error may quote the data set: only its kind and place are logged
        log.error("failed", status=f"{answer.Status:04X}", kind=type(error).__name__, where=_where(error))
        return answer
    log.info("stored", sop_instance_uid=instance.sop_instance_uid, digest=instance.digest, size_bytes=instance.size_bytes)
    return status.success()


def _received(event: evt.Event) -> Received:
    request = event.request
    sop_class_uid = check_uid(str(request.AffectedSOPClassUID or ""), "AffectedSOPClassUID")
    sop_instance_uid = check_uid(str(request.AffectedSOPInstanceUID or ""), "AffectedSOPInstanceUID")
    if request.DataSet is None:
        raise CannotUnderstand("no data set came with the command")
    return Received(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        calling_ae_title=event.assoc.requestor.ae_title.strip(),
        file_meta=file_meta(sop_class_uid, sop_instance_uid, str(event.context.transfer_syntax)),
        data_set=request.DataSet.getbuffer(),
    )


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
