"""RLE Lossless (PS3.5 Annex G): the segments of a frame, each decoded to exactly its byte plane."""

from itertools import pairwise
from struct import unpack_from
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from triage.imaging.damage import damaged

_HEADER = 64
_NOTHING = 0x80  # a code without output, G.3.1
_PADDING = bytes((0, _NOTHING))
_OWN = 2
"""Bytes at the end of a padded plane that may look like padding: of three, encoders make a run."""


def decode_run_length(frame: bytes, count: int, bits_allocated: int) -> NDArray[Any]:
    """``count`` cells of ``bits_allocated`` (8 or 16) bits, in native byte order.

    Raises:
        PixelError: another number of segments than bytes in a cell, offsets that do not ascend within the frame, or a
            segment that holds more or less than ``count`` bytes and padding of 0x00 or 0x80.
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
    plane = _unpacked(segment, count)
    if plane is None and segment[-1] in _PADDING:
        plane = _unpacked(segment[: _end_of_plane(segment, count)], count)
    if plane is None:
        raise damaged("an RLE segment of another length than the image")
    return plane


def _unpacked(segment: bytes, count: int) -> bytes | bytearray | None:
    """``None``: the segment does not hold exactly ``count`` bytes."""
    try:
        plane = imagecodecs.packbits_decode(segment, out=count + 1)
    except RuntimeError:
        return None
    return plane if len(plane) == count else None


def _end_of_plane(segment: bytes, count: int) -> int:
    """Where the code ends that makes the plane full. Code by code, so only for a segment that may be padded.

    Raises:
        PixelError: no code does, something else than padding is behind it, or the padding itself would be the plane's end, as
            it is when a segment was cut off.
    """
    position, done = 0, 0
    while done < count and position < len(segment):
        control = segment[position]
        literal = control < _NOTHING
        position += 2 + control if literal else 1 + (control > _NOTHING)
        done += 1 + control if literal else (257 - control) % 129
    padding = len(segment) - len(segment.rstrip(_PADDING))
    if done != count or not 0 <= len(segment) - position <= padding <= len(segment) - position + _OWN:
        raise damaged("an RLE segment of another length than the image")
    return position
