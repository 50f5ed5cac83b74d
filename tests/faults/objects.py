"""B05–B13: objects that lie about what they are; each with the reasons that it may be given, and never a probability."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.films import data_set_bytes, film, part10, split

RLE, BASELINE, LOSSLESS, JPEG_LS, J2K, HTJ2K = (
    f"1.2.840.10008.1.2.{tail}" for tail in ("5", "4.50", "4.70", "4.80", "4.90", "4.201")
)
IMPLICIT, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
SQ = b"\x40\x00\x75\x02SQ\0\0"  # Request Attributes Sequence
ITEM, END_OF_ITEM, END_OF_SEQUENCE = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
UNDEFINED = b"\xff\xff\xff\xff"


def resyntaxed(whole: bytes, syntax: str) -> bytes:
    """The data set as it is under another transfer syntax in the file meta information."""
    dataset = Dataset()
    meta = split(part10(dataset, "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3.1.1", syntax))[0]
    return meta + data_set_bytes(whole)


def coded(stream: bytes, syntax: str, rows: int, columns: int, bits: int = 8) -> bytes:
    """A film that says rows and columns of a codestream that may say something else."""
    allocated = 8 if bits == 8 else 16
    whole = film(
        rows=8,
        columns=8,
        Rows=rows,
        Columns=columns,
        BitsAllocated=allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelData=None,
    )
    value = encapsulate([stream])
    element = b"\xe0\x7f\x10\x00OB\0\0" + UNDEFINED + value + END_OF_SEQUENCE
    return resyntaxed(whole, syntax) + element


def native(**elements: Any) -> bytes:
    return film(rows=32, columns=32, **elements)


def patched(whole: bytes, old: bytes, new: bytes) -> bytes:
    assert whole.count(old) == 1
    return whole.replace(old, new)


def raw(tag: bytes, vr: bytes, value: bytes) -> bytes:
    return tag + vr + struct.pack("<H", len(value)) + value


def nested(depth: int, defined: bool) -> bytes:
    """A film with a sequence in a sequence in a sequence."""
    inner = b""
    if defined:
        pieces, size = [], 0
        for _ in range(depth):
            pieces.append(SQ + struct.pack("<I", size + 8) + ITEM + struct.pack("<I", size))
            size += 20
        inner = b"".join(reversed(pieces))
    else:
        inner = (SQ + UNDEFINED + ITEM + UNDEFINED) * depth + (END_OF_ITEM + END_OF_SEQUENCE) * depth
    meta, data = split(native())
    place = data.index(b"\xe0\x7f\x10\x00OW")
    return meta + data[:place] + inner + data[place:]


def of_size(stream: bytes, rows: int, columns: int) -> bytes:
    """A JPEG or JPEG-LS codestream that claims another size."""
    place = next(at for at in (stream.find(b"\xff" + bytes([marker])) for marker in (0xC0, 0xC1, 0xC3, 0xF7)) if at >= 0)
    return stream[: place + 5] + struct.pack(">HH", rows, columns) + stream[place + 9 :]


def j2k_of_size(stream: bytes, rows: int, columns: int) -> bytes:
    """A JPEG 2000 codestream that claims another image area and one tile of it."""
    size = struct.pack(">4I2I", columns, rows, 0, 0, columns, rows)
    return stream[:8] + size + stream[32:]


def run_length_bomb(rows: int, columns: int) -> bytes:
    """Replicate runs: two bytes stand for 128."""
    plane = b"\x81\x07" * (rows * columns // 128)
    return struct.pack("<16I", 2, 64, 64 + len(plane), *[0] * 13) + plane + plane


_SMALL = np.arange(64, dtype=np.uint8).reshape(8, 8)
_STREAMS: dict[str, Callable[[], bytes]] = {
    BASELINE: lambda: bytes(imagecodecs.jpeg_encode(_SMALL)),
    LOSSLESS: lambda: bytes(imagecodecs.jpeg_encode(_SMALL, lossless=True, predictor=1)),
    JPEG_LS: lambda: bytes(imagecodecs.jpegls_encode(_SMALL)),
    J2K: lambda: bytes(imagecodecs.jpeg2k_encode(_SMALL, level=0, codecformat="J2K", reversible=True)),
    HTJ2K: lambda: bytes(imagecodecs.htj2k_encode(_SMALL, reversible=True)),
}


def claims(syntax: str, rows: int, columns: int) -> bytes:
    """Eight by eight pixels that claim to be more, in the codestream and in the header."""
    change = j2k_of_size if syntax in (J2K, HTJ2K) else of_size
    return coded(change(_STREAMS[syntax](), rows, columns), syntax, rows, columns)


def deflated_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data_set_bytes(native(PixelData=None)) + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 1 << 30))
    body += b"".join(packer.compress(bytes(1 << 20)) for _ in range(1 << 10)) + packer.flush()
    return split(resyntaxed(native(), DEFLATED))[0] + body


CANNOT, NO_IMAGE, FRAMES, COLOUR, NUMERIC = (
    frozenset({code}) for code in ("cannot_decode", "no_image", "multi_frame", "not_grayscale", "numeric")
)
Case = tuple[Callable[[], bytes], frozenset[str]]

CHEAP: dict[str, Case] = {
    **{f"Rows {value}": (lambda value=value: native(Rows=value), CANNOT) for value in (0, 1, 31, 34, 65_535)},
    **{f"Columns {value}": (lambda value=value: native(Columns=value), CANNOT) for value in (0, 1, 31, 65_535)},
    **{f"without {keyword}": (lambda keyword=keyword: native(**{keyword: None}), CANNOT) for keyword in ("Rows", "Columns")},
    "without BitsAllocated": (lambda: native(BitsAllocated=None), CANNOT),
    "without PhotometricInterpretation": (lambda: native(PhotometricInterpretation=None), COLOUR),
    "without PixelData": (lambda: native(PixelData=None), NO_IMAGE),
    "Rows as UL (CVE-2026-5442)": (
        lambda: patched(native(), raw(b"\x28\0\x10\0", b"US", b"\x20\0"), raw(b"\x28\0\x10\0", b"UL", b"\xff\xff\xff\x7f")),
        CANNOT,
    ),
    "Rows as UL, 0x10020": (
        lambda: patched(native(), raw(b"\x28\0\x10\0", b"US", b"\x20\0"), raw(b"\x28\0\x10\0", b"UL", b"\x20\0\x01\0")),
        CANNOT,
    ),
    "NumberOfFrames 2": (lambda: native(NumberOfFrames="2"), FRAMES),
    "NumberOfFrames 2e9": (lambda: native(NumberOfFrames="2000000000"), FRAMES),
    "NumberOfFrames -5": (lambda: native(NumberOfFrames="-5"), CANNOT),
    "NumberOfFrames abc": (
        lambda: patched(native(NumberOfFrames="1234"), b"IS\x04\x001234", b"IS\x04\x00abc "),
        CANNOT,
    ),
    "colour": (lambda: native(SamplesPerPixel=3, PhotometricInterpretation="RGB"), COLOUR),
    "palette": (lambda: native(PhotometricInterpretation="PALETTE COLOR"), COLOUR),
    **{
        f"BitsAllocated {bits}": (lambda bits=bits: native(BitsAllocated=bits), CANNOT)
        for bits in (0, 1, 8, 12, 17, 32, 65_535)
    },
    "BitsStored 17": (lambda: native(BitsStored=17, HighBit=16), CANNOT),
    "HighBit 3": (lambda: native(HighBit=3), CANNOT),
    "HighBit 16": (lambda: native(HighBit=16), CANNOT),
    "padding is all of it": (lambda: native(bright=0.0, PixelPaddingValue=0), NUMERIC),
    "constant": (lambda: native(bright=0.0), NUMERIC),
    "sequences, depth 5000, undefined": (lambda: nested(5000, False), CANNOT),
    "4 GiB of pixels": (
        lambda: patched(native(), b"OW\0\0" + struct.pack("<I", 2048), b"OW\0\0" + struct.pack("<I", 0xFFFFFFFE)),
        CANNOT,
    ),
    "pixels without end": (lambda: patched(native(), b"OW\0\0" + struct.pack("<I", 2048), b"OW\0\0" + UNDEFINED), CANNOT),
    "no pixels": (lambda: native(PixelData=b""), CANNOT | NO_IMAGE),
    "one byte short": (lambda: native()[:-1], CANNOT),
    "big endian in meta": (lambda: resyntaxed(native(), BIG_ENDIAN), CANNOT | NO_IMAGE | frozenset({"not_a_chest_film"})),
    "deflated in meta": (lambda: resyntaxed(native(), DEFLATED), CANNOT),
    "unknown syntax in meta": (lambda: resyntaxed(native(), "1.2.840.10008.1.2.4.100"), CANNOT),
    "RLE in meta": (lambda: resyntaxed(native(), RLE), CANNOT),
    "no object": (lambda: b"<html>not found</html>", CANNOT),
    "nothing": (lambda: b"", CANNOT),
    **{f"{syntax}: 65,535²": (lambda syntax=syntax: claims(syntax, 65_535, 65_535), CANNOT) for syntax in _STREAMS},
    **{f"{syntax}: 60,000²": (lambda syntax=syntax: claims(syntax, 60_000, 60_000), CANNOT) for syntax in _STREAMS},
    "RLE: 20,000²": (lambda: coded(run_length_bomb(2000, 20_000), RLE, 20_000, 20_000, 12), CANNOT),
}
"""Name → the object, and the reasons one of which it must be given."""

EITHER: dict[str, Callable[[], bytes]] = {
    "NumberOfFrames 0": lambda: native(NumberOfFrames="0"),
    "sequences, depth 300, undefined": lambda: nested(300, False),
    "sequences, depth 300, defined": lambda: nested(300, True),
    "sequences, depth 5000, defined": lambda: nested(5000, True),
    "explicit sent as implicit": lambda: resyntaxed(native(), IMPLICIT),
    "group 0002 inside": lambda: native()[:-2060] + raw(b"\x02\0\x10\0", b"UI", b"1.2.3\0") + native()[-2060:],
}
"""What may be read as what it is: then the pixels are the film's own, and so is the probability."""

COSTLY: dict[str, Case] = {
    "deflated, 1 MB to 1 GiB": (deflated_bomb, CANNOT),
    **{f"{syntax}: 10,000²": (lambda syntax=syntax: claims(syntax, 10_000, 10_000), CANNOT | NUMERIC) for syntax in _STREAMS},
    "RLE: 10,000², constant": (lambda: coded(run_length_bomb(10_000, 10_000), RLE, 10_000, 10_000, 12), NUMERIC),
}
"""As CHEAP; each takes what the largest film takes that is decoded at all."""


def truncated() -> Iterator[bytes]:
    """The film cut off behind each of its elements, and in the middle of each."""
    whole = native()
    position = len(split(whole)[0])
    while position < len(whole):
        long = whole[position + 4 : position + 6] in (b"OW", b"OB", b"SQ", b"UN", b"UT")
        size = 12 + int.from_bytes(whole[position + 8 : position + 12], "little") if long else 8 + int.from_bytes(
            whole[position + 6 : position + 8], "little"
        )  # fmt: skip
        yield whole[:position]
        yield whole[: position + size // 2]
        position += size
