"""Where the data set begins in a stored object (PS3.10 7.1: preamble, prefix, group length, file meta information)."""

from typing import BinaryIO

PREAMBLE_BYTES = 128
PREFIX = b"DICM"
_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"  # (0002,0000), Explicit VR Little Endian


def data_set_offset(stream: BinaryIO) -> int:
    """Bytes before the data set.

    Raises:
        ValueError: not a Part 10 object as this archive writes it.
    """
    head = stream.read(PREAMBLE_BYTES + len(PREFIX) + len(_GROUP_LENGTH) + 4)
    element = head[PREAMBLE_BYTES + len(PREFIX) :]
    if head[PREAMBLE_BYTES:][: len(PREFIX)] != PREFIX or not element.startswith(_GROUP_LENGTH) or len(element) < 12:
        raise ValueError("no DICOM file meta information")
    return len(head) + int.from_bytes(element[8:12], "little")
