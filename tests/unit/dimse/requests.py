"""Requests for storage commitment as bytes: by pydicom, and by hand where nothing may be too wrong to be sent."""

import struct
from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

DX = "1.2.840.10008.5.1.4.1.1.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
UNDEFINED = 0xFFFFFFFF


def action(transaction_uid: str, references: Iterable[tuple[str, str]]) -> Dataset:
    """Action Information (PS3.4 table J.3-1)."""
    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    items = []
    for sop_class_uid, sop_instance_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        items.append(item)
    dataset.ReferencedSOPSequence = items
    return dataset


def encoded(dataset: Dataset, syntax: str, *, undefined: bool = False) -> bytes:
    """A data set; with ``undefined``, its sequences and items end by delimiters."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, syntax == IMPLICIT
    write_dataset(stream, dataset)
    return stream.getvalue()


def element(tag: int, vr: bytes, value: bytes, length: int | None = None, *, explicit: bool = True) -> bytes:
    """One element (PS3.5 7.1); ``length`` lies about it."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    size = len(value) if length is None else length
    if not explicit:
        return head + struct.pack("<I", size) + value
    if vr in (b"SQ", b"UN", b"OB", b"UC"):
        return head + vr + struct.pack("<HI", 0, size) + value
    return head + vr + struct.pack("<H", size & 0xFFFF) + value


def item(content: bytes, length: int | None = None) -> bytes:
    """An item (PS3.5 7.5)."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def uid(value: str) -> bytes:
    """Padded (PS3.5 9.1)."""
    return value.encode() + b"\0" * (len(value) % 2)


def reference(sop_class_uid: str = DX, sop_instance_uid: str = "1.2.3", *, explicit: bool = True) -> bytes:
    """The content of an item of the Referenced SOP Sequence."""
    return element(0x00081150, b"UI", uid(sop_class_uid), explicit=explicit) + element(
        0x00081155, b"UI", uid(sop_instance_uid), explicit=explicit
    )


def by_hand(*items: bytes, transaction_uid: str = "1.9", before: bytes = b"", after: bytes = b"") -> bytes:
    """An explicit request around ``items``."""
    return before + element(0x00081195, b"UI", uid(transaction_uid)) + element(0x00081199, b"SQ", b"".join(items)) + after


def pairs(count: int, first: int = 1) -> Sequence[tuple[str, str]]:
    return [(DX, f"1.2.826.0.1.{number}") for number in range(first, first + count)]
