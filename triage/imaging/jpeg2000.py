"""JPEG 2000 and HTJ2K codestreams decoded at reduced resolution, where that gives the low band of the whole film."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triage.imaging.pyramid import halved

_SOC, _SIZ, _COD, _COC, _SOT = 0xFF4F, 0xFF51, 0xFF52, 0xFF53, 0xFF90


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How a codestream was made (ISO/IEC 15444-1 A.5.1, A.6.1), as far as a reduced decoding depends on it.

    ``plain``: one component in one tile from the origin of the grid, coded alike throughout.
    """

    rows: int
    columns: int
    bits: int
    signed: bool
    levels: int
    plain: bool


def coding(codestream: bytes) -> Coding | None:
    """The coding that a codestream's main header states; ``None`` when it has none, or boxes around it."""
    try:
        segments = _main_header(codestream)
        siz, cod = segments[_SIZ], segments[_COD]
        columns, rows, *start, tile_columns, tile_rows, tile_x, tile_y, components = struct.unpack_from(">8IH", siz, 2)
        depth, *steps = siz[36:39]
        return Coding(
            rows=rows,
            columns=columns,
            bits=(depth & 0x7F) + 1,
            signed=depth >= 0x80,
            levels=cod[5],
            plain=(components, *steps, *start, tile_x, tile_y) == (1, 1, 1, 0, 0, 0, 0)
            and tile_columns >= columns
            and tile_rows >= rows
            and _COC not in segments,
        )
    except (LookupError, ValueError, struct.error):
        return None


def reduced(codestream: bytes, coding: Coding, levels: int) -> NDArray[Any]:
    """The low band after ``levels`` (see :func:`triage.imaging.pyramid.low_band`), cut off at the range of its bits.

    Raises:
        OSError, ValueError: it cannot be decoded.
    """
    with Image.open(BytesIO(codestream), formats=("JPEG2000",)) as image:
        image.reduce = levels  # type: ignore[method-assign, assignment]
        # Pillow rounds the reduced size to the nearest, the standard upwards: it is given one that both divide alike
        image._size = (halved(coding.columns, levels) << levels, halved(coding.rows, levels) << levels)
        image.load()
        # 9 to 16 bits come in the upper bits of a word
        return np.asarray(image) >> (0 if coding.bits <= 8 else 16 - coding.bits)


def _main_header(codestream: bytes) -> dict[int, bytes]:
    """Marker → its segment without the length, up to the first tile-part; of a marker that comes again, the last."""
    (marker,) = struct.unpack_from(">H", codestream)
    if marker != _SOC:
        raise ValueError("no codestream")
    segments: dict[int, bytes] = {}
    position = 2
    while True:
        marker, length = struct.unpack_from(">HH", codestream, position)
        if marker == _SOT:
            return segments
        segments[marker] = codestream[position + 4 : position + 2 + length]
        position += 2 + length
