"""JPEG lossless (ISO/IEC 10918-1 Annex H), decoded, and proved against the length of what it was decoded from.

Nearly every run of bits is a valid Huffman code, so a decoder goes through damage without a word, and libjpeg's warnings do not
reach us. But the decoded image says how many bits it takes to code it, by the codestream's own tables; a film that was decoded
out of step, with values made up at the end or bits left over, takes another number than the stream holds.
"""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from triage.imaging.damage import damaged
from triage.imaging.jpeg_stream import JpegStream, read_jpeg

_PADDING = 3
"""Bytes of zero that may stand behind the coded data: some encoders fill up a word."""
_ROWS = 64
"""Rows looked at together: their differences stay in the processor's cache."""
_CATEGORIES = 17  # SSSS of a difference modulo 2^16: 0 to 16 (H.1.2.2, table H.2)


def decode_jpeg_lossless(codestream: bytes) -> NDArray[Any]:
    """The stored values (rows, columns), 8 or 16 bits unsigned.

    Raises:
        PixelError: the image needs another number of bits than the coded data have, between any two restart markers, or
            goes beyond the codestream's precision.
    """
    stream = read_jpeg(codestream)
    if 8 * (stream.end - stream.start) < stream.rows * stream.columns:  # before decoding: a difference takes a bit at least
        raise damaged("the coded data end before the image")
    pixels: NDArray[Any] = imagecodecs.jpeg_decode(codestream)
    if pixels.shape != (stream.rows, stream.columns) or not np.issubdtype(pixels.dtype, np.unsignedinteger):
        raise damaged("the coded image has another size than the header says")
    if int(pixels.max()) >> stream.precision:
        raise damaged("values beyond the precision of the codestream")
    needed = _bits_needed(stream, pixels)
    for start, end, bits in zip(*_intervals(stream), needed, strict=True):
        held = 8 * (end - start - codestream.count(b"\xff\x00", start, end))
        more = (held - bits) // 8  # the last byte is filled up with ones, F.1.2.3
        if not 0 <= more <= _PADDING or codestream[end - more : end] != bytes(more):
            raise damaged("the coded data hold another number of bits than the decoded image takes")
    return pixels


def _intervals(stream: JpegStream) -> tuple[list[int], list[int]]:
    """Where the coded data between restart markers start and end."""
    return [stream.start, *(end for _, end in stream.restarts)], [*(start for start, _ in stream.restarts), stream.end]


def _bits_needed(stream: JpegStream, pixels: NDArray[Any]) -> list[int]:
    """Bits of each restart interval, which is a whole number of rows (H.1.1)."""
    height, rest = divmod(stream.restart_interval or stream.rows * stream.columns, stream.columns)
    if rest or not height:
        raise damaged("a restart interval that is not a number of rows")
    lengths = _code_lengths(stream)
    shifted = pixels >> stream.point_transform if stream.point_transform else pixels
    first_value = 1 << (stream.precision - stream.point_transform - 1)
    needed = []
    for top in range(0, stream.rows, height):
        counts = _differences(shifted[top : top + height], stream.near, first_value)
        if any(count and not length for count, length in zip(counts, lengths, strict=True)):
            raise damaged("a difference that the codestream's table has no code for")
        needed.append(sum(count * length for count, length in zip(counts, lengths, strict=True)))
    return needed


def _code_lengths(stream: JpegStream) -> list[int]:
    """Bits that a difference of each category takes: its Huffman code and its magnitude, which category 16 has not."""
    lengths = [0] * _CATEGORIES
    for length, symbols in enumerate(stream.tables.get(stream.table, ()), start=1):
        for symbol in symbols:
            if symbol < _CATEGORIES:
                lengths[symbol] = length + symbol % 16
    return lengths


def _differences(rows: NDArray[Any], predictor: int, first_value: int) -> list[int]:
    """How many differences of each category one interval has: its first row is predicted from the left, the first
    column from above (H.1.1)."""
    left = np.full(rows.shape[1], first_value, dtype=np.uint16)
    left[1:] = rows[0, :-1]
    at_least = _at_least(rows[0] - left)
    for top in range(1, len(rows), _ROWS):
        block = rows[top - 1 : top + _ROWS].astype(np.uint16, copy=False)
        current, upper = block[1:], block[:-1]
        predicted = _PREDICTORS[predictor](current[:, :-1], upper[:, 1:], upper[:, :-1])
        at_least += _at_least(current[:, 0] - upper[:, 0]) + _at_least(current[:, 1:] - predicted)
    return [int(count) for count in at_least[:-1] - at_least[1:]]


def _at_least(differences: NDArray[np.uint16]) -> NDArray[np.int64]:
    """How many differences are of at least each category, from 0 to 17: of category k are those of k bits."""
    counts = np.zeros(_CATEGORIES + 1, dtype=np.int64)
    counts[0] = differences.size
    magnitudes = np.abs(differences.view(np.int16)).view(np.uint16)  # -2^15 stays 2^15
    for category in range(1, _CATEGORIES):
        counts[category] = np.count_nonzero(magnitudes >= 1 << category - 1)
        if not counts[category]:
            break
    return counts


def _half(values: NDArray[np.int32]) -> NDArray[np.uint16]:
    return (values >> 1).astype(np.uint16)


def _signed(values: NDArray[np.uint16]) -> NDArray[np.int32]:
    return values.astype(np.int32)


_Samples = NDArray[np.uint16]
_PREDICTORS: dict[
    int, Callable[[_Samples, _Samples, _Samples], _Samples]
] = {  # table H.1; a: left, b: above, c: above left; modulo 2^16
    1: lambda a, b, c: a,
    2: lambda a, b, c: b,
    3: lambda a, b, c: c,
    4: lambda a, b, c: a + b - c,
    5: lambda a, b, c: a + _half(_signed(b) - c),
    6: lambda a, b, c: b + _half(_signed(a) - c),
    7: lambda a, b, c: _half(_signed(a) + b),
}
