"""The file meta information of an object as a sender wrote it (PS3.10 7.1): what it says of the data set behind it."""

from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from pydicom.filereader import read_dataset, read_preamble

from triage.domain.errors import CannotUnderstand, StorageFull
from triage.domain.identifiers import check_uid
from triage.imaging.elements import keep_quiet, text

MOST_BYTES = 64 << 10
"""Of preamble and file meta information; a few hundred are usual."""
_GROUP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMeta:
    """Identifiers, checked. ``data_set_offset``: bytes before the data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int


def read_file_meta(stream: BinaryIO) -> FileMeta:
    """From the first byte of a file object; the stream stands at its first byte again afterwards.

    Raises:
        CannotUnderstand: there is none that can be read. No message holds a value.
        StorageFull: the disk does not give the bytes.
    """
    keep_quiet()
    try:
        head = BytesIO(stream.read(MOST_BYTES))
        stream.seek(0)
    except OSError as error:
        raise StorageFull("the disk does not give the object back") from error
    try:
        read_preamble(head, False)
        meta = read_dataset(head, False, True, stop_when=lambda tag, vr, length: tag.group != _GROUP)
        offset = head.tell()
    except Exception as error:  # as in header.read_header
        raise CannotUnderstand(f"no DICOM file object: {type(error).__name__}") from None
    return FileMeta(
        sop_class_uid=check_uid(text(meta, "MediaStorageSOPClassUID"), "MediaStorageSOPClassUID"),
        sop_instance_uid=check_uid(text(meta, "MediaStorageSOPInstanceUID"), "MediaStorageSOPInstanceUID"),
        transfer_syntax_uid=check_uid(text(meta, "TransferSyntaxUID"), "TransferSyntaxUID"),
        data_set_offset=offset,
    )
