"""One frame of a film as a viewer is given it: as it was stored, or as the pixel cells of Explicit VR Little Endian."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.codecs import decode_frame, describe
from triage.imaging.damage import damaged
from triage.imaging.elements import integer, values
from triage.imaging.encapsulated import only_frame

NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"})
"""Transfer syntaxes whose pixel cells are those of Explicit VR Little Endian (PS3.5 A.1, A.2, A.5)."""
MOST_FRAMES = 10_000


def frame_count(dataset: Dataset) -> int:
    """How many frames it says it has.

    Raises:
        PixelError: no pixel data, or a number that cannot be.
    """
    if "PixelData" not in dataset:
        raise PixelError(Reason.NO_IMAGE, "no pixel data")
    count = integer(dataset, "NumberOfFrames") if values(dataset, "NumberOfFrames") else 1
    if count is None or not 0 <= count <= MOST_FRAMES:
        raise PixelError(Reason.CANNOT_DECODE, "a number of frames that cannot be")
    return max(1, count)  # 0 is what some devices write of a single frame


def stored_frame(dataset: Dataset, number: int) -> bytes:
    """Frame ``number`` (from 1) as it is stored: its pixel cells, or its codestream.

    Raises:
        PixelError: it is not there as the header says.
    """
    count = frame_count(dataset)
    if str(dataset.file_meta.TransferSyntaxUID) in NATIVE:
        return _cells(dataset, number, count)
    if count == 1:
        return only_frame(dataset.PixelData)
    try:
        return get_frame(dataset.PixelData, number - 1, number_of_frames=count)
    except Exception:
        raise damaged("frames that cannot be told apart") from None


def explicit_frame(dataset: Dataset, number: int) -> bytes:
    """Frame ``number`` as pixel cells of Bits Allocated, little endian (PS3.5 8.1.1, A.2), decoded where it has to be.

    Raises:
        PixelError: it cannot be decoded; colour and several frames only where they are stored as cells.
    """
    if str(dataset.file_meta.TransferSyntaxUID) in NATIVE:
        return stored_frame(dataset, number)
    description = describe(dataset)
    shift = description.high_bit + 1 - description.bits_stored
    cells = decode_frame(dataset).astype(np.int32) << shift
    return cells.astype(f"<u{description.bits_allocated // 8}").tobytes()


def _cells(dataset: Dataset, number: int, count: int) -> bytes:
    sides = [integer(dataset, keyword) or 0 for keyword in ("Rows", "Columns")]
    samples, bits = integer(dataset, "SamplesPerPixel") or 1, integer(dataset, "BitsAllocated") or 0
    if min(sides) < 1 or samples not in (1, 3, 4) or bits not in (8, 16, 32, 64):
        raise damaged("no size of a frame")
    size = sides[0] * sides[1] * samples * bits // 8
    data: bytes = dataset.PixelData
    if len(data) < size * count:
        raise damaged("fewer pixel data than the frames have")
    return data[(number - 1) * size : number * size]
