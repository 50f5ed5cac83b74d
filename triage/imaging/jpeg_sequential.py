"""JPEG with a cosine transform (ISO/IEC 10918-1 Annex F), decoded, and proved against the codes it was decoded from.

libjpeg goes through damaged Huffman codes without an error, and its warnings do not reach us. So the codes are walked once
more, block for block: each must be one that the tables have, no block may run past its 64 coefficients, there must be exactly
the image's number of blocks between any two restart markers, and their mean values must be ones that samples can have. That
takes time, so films of very many coded bytes are decoded without it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from triage.imaging.damage import damaged
from triage.imaging.jpeg_stream import JpegStream, read_jpeg

Entries = NDArray[np.int64]
MOST_PROVED = 4_000_000
"""Coded bytes beyond which the codes are not walked: up to there it takes some 2 s, and a film has 10 for everything."""
_BLOCK = 64
_END_OF_BLOCK = 2 * _BLOCK
_IMPOSSIBLE = 4 * _BLOCK
_LENGTH, _MASK = 6, 63
"""An entry of a table: coefficients to go on by, shifted by this many bits, and the bits of code and magnitude."""


def decode_jpeg_sequential(codestream: bytes) -> NDArray[Any]:
    """The stored values (rows, columns), 8 bits unsigned, 16 for a precision of 12.

    Raises:
        PixelError: the coded data are not those of one image of the stated size.
    """
    stream = read_jpeg(codestream)
    mean, rest = _table(stream, stream.table, _mean), _table(stream, stream.rest_table, _coefficient)
    intervals = _intervals(stream)
    for start, end, blocks in intervals if stream.end - stream.start <= MOST_PROVED else ():
        data = codestream[start:end].replace(b"\xff\x00", b"\xff")
        starts = _walk(data, mean, rest, blocks)
        _check_means(stream, data, np.array(starts[:-1]))
        if not 0 <= 8 * len(data) - starts[-1] < 8:  # the last byte is filled up, F.1.2.3
            raise damaged("the coded data hold more than the image")
    pixels: NDArray[Any] = imagecodecs.jpeg_decode(codestream)
    return pixels


def _intervals(stream: JpegStream) -> list[tuple[int, int, int]]:
    """Where the coded data between restart markers start and end, and how many blocks they hold (A.2.2, E.1.4)."""
    blocks = -(-stream.rows // 8) * -(-stream.columns // 8)
    each = stream.restart_interval or blocks
    starts = [stream.start, *(end for _, end in stream.restarts)]
    ends = [*(start for start, _ in stream.restarts), stream.end]
    if len(starts) != -(-blocks // each):
        raise damaged("restart markers are missing or too many")
    return [
        (start, end, min(each, blocks - number * each)) for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _mean(symbol: int, deepest: int) -> int:
    """F.1.2.1: the symbol is the number of bits of the difference."""
    return (1 << _LENGTH) + symbol if symbol <= deepest + 1 else _IMPOSSIBLE << _LENGTH


def _coefficient(symbol: int, deepest: int) -> int:
    """F.1.2.2: a run of zeros, then a value of that many bits; 0x00 ends the block, 0xF0 is 16 zeros."""
    run, bits = symbol >> 4, symbol & 15
    if bits > deepest or (not bits and run not in (0, 15)):
        return _IMPOSSIBLE << _LENGTH
    advance = run + 1 if bits or run else _END_OF_BLOCK
    return (advance << _LENGTH) + bits


def _codes(stream: JpegStream, name: int) -> Iterator[tuple[slice, int, int]]:
    """The codes of a Huffman table (C.2): which of the 16 bits that may come next start with it, its length, its symbol."""
    code = 0
    for length, symbols in enumerate(stream.tables.get(name, ()), start=1):
        width = 1 << 16 - length
        for symbol in symbols:
            if (code + 1) * width > 0x10000:
                raise damaged("a Huffman table with more codes than there are")
            yield slice(code * width, (code + 1) * width), length, symbol
            code += 1
        code <<= 1


def _table(stream: JpegStream, name: int, meaning: Callable[[int, int], int]) -> Entries:
    """For each 16 bits that may come next what they mean; bits that are no code are impossible."""
    table = np.full(0x10000, _IMPOSSIBLE << _LENGTH)
    for where, length, symbol in _codes(stream, name):
        table[where] = meaning(symbol, stream.precision + 2) + length  # the deepest magnitudes: F.1.2.1.1, F.1.2.2.1
    return table


def _joined(first: Entries, then: Entries) -> Entries:
    """The same with what follows, where both lie within the 16 bits: fewer steps."""
    length = first & _MASK
    following = then[(np.arange(0x10000) << length) & 0xFFFF]
    fits = (length + (following & _MASK) <= 16) & (first >> _LENGTH < _BLOCK) & (following >> _LENGTH < _IMPOSSIBLE)
    return np.where(fits, first + following, first)


def _walk(data: bytes, mean: Entries, rest: Entries, blocks: int) -> list[int]:
    """The bit at which each of the blocks starts, and the one behind the last."""
    padded = np.frombuffer(data + bytes(4), dtype=np.uint8).astype(np.uint32)
    ahead = (padded[:-3] << 16 | padded[1:-2] << 8 | padded[2:-1]).tolist()
    one_by_one = mean.tolist(), rest.tolist()
    several = _joined(rest, rest)
    several = _joined(several, several)
    quick = _joined(mean, several).tolist(), several.tolist()
    position, starts = 0, []
    try:
        for _ in range(blocks):
            starts.append(position)
            # a block that is full has no code for its end: what was joined to its last code is the next block's
            position = _block(ahead, position, *quick) or _block(ahead, position, *one_by_one)
            if not position:
                raise damaged("a code that no block can have")
    except IndexError:
        raise damaged("the coded data end before the image") from None
    return [*starts, position]


def _block(ahead: list[int], position: int, mean: list[int], rest: list[int]) -> int:
    """The bit behind the block that starts at ``position``; 0: these are no codes of a block."""
    entry = mean[ahead[position >> 3] >> 8 - (position & 7) & 0xFFFF]
    position += entry & _MASK
    done = entry >> _LENGTH
    while done < _BLOCK:
        entry = rest[ahead[position >> 3] >> 8 - (position & 7) & 0xFFFF]
        position += entry & _MASK
        done += entry >> _LENGTH
    return position if done == _BLOCK or _END_OF_BLOCK < done < _END_OF_BLOCK + _BLOCK else 0


def _check_means(stream: JpegStream, data: bytes, starts: NDArray[np.int64]) -> None:
    """The first coefficient of a block is eight times its mean, level-shifted (A.3.1, A.3.3): it has the range of samples."""
    lengths, sizes = np.zeros(0x10000, dtype=np.int64), np.zeros(0x10000, dtype=np.int64)
    for where, length, symbol in _codes(stream, stream.table):
        lengths[where], sizes[where] = length, symbol
    padded = np.frombuffer(data + bytes(8), dtype=np.uint8).astype(np.int64)
    ahead = sum(padded[(starts >> 3) + place] << 8 * (5 - place) for place in range(6))  # 48 bits, of which 7 are behind
    code = ahead >> 32 - (starts & 7) & 0xFFFF
    size = sizes[code]
    value = (ahead >> 48 - (starts & 7) - lengths[code] - size) & ((1 << size) - 1)
    differences = np.where(value < 1 << size >> 1, value - (1 << size) + 1, value)  # F.1.2.1.1
    step = stream.quantizers.get(stream.quantizer, 0)
    if np.abs(np.cumsum(differences) * step).max() > (1 << stream.precision + 2) + step:
        raise damaged("a mean value that no samples have")
