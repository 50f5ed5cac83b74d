"""RLE Lossless (PS3.5 Annex G): the segments of a frame, each decoded to exactly its byte plane."""

from itertools import pairwise
from struct import unpack_from
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from triage.imaging.damage import damaged

_HEADER = 64


def decode_run_length(frame: bytes, count: int, bits_allocated: int) -> NDArray[Any]:
    """``count`` cells of ``bits_allocated`` (8 or 16) bits, in native byte order.

    Raises:
        PixelError: another number of segments than bytes in a cell, offsets that do not ascend within the frame, or a
            segment that holds more or less than ``count`` bytes.
    """
    size = bits_allocated // 8
    if len(frame) < _HEADER:
        raise damaged("the RLE header is cut off")
    segments, *offsets = unpack_from("<16I", frame)
    if segments != size or offsets[0] != _HEADER or any(offsets[size:]):
        raise damaged("an RLE header that does not fit the cells")
    bounds = [*offsets[:size], len(frame)]
    if any(start >= end for start, end in pairwise(bounds)):
        raise damaged("the RLE segments leave the frame")
    cells = np.empty((count, size), dtype=np.uint8)
    for place, (start, end) in enumerate(pairwise(bounds)):
        plane = _decoded(frame[start:end], count)
        cells[:, size - 1 - place] = np.frombuffer(plane, dtype=np.uint8)  # G.2: the most significant byte comes first
    return cells.view(f"<u{size}").reshape(count)


def _decoded(segment: bytes, count: int) -> bytes | bytearray:
    """G.3.2; what a replicate run can make of the segment at most bounds what is allocated."""
    try:
        plane = imagecodecs.packbits_decode(segment, out=count + 1)
    except RuntimeError:
        raise damaged("an RLE segment that is cut off or too long") from None
    if len(plane) != count:
        raise damaged("an RLE segment of another length than the image")
    return plane
