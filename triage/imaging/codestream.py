"""What a JPEG, JPEG-LS or JPEG 2000 codestream says of itself, before anything is decoded."""

from struct import unpack_from

_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_J2K_START = b"\xff\x4f\xff\x51"  # SOC and SIZ, ISO/IEC 15444-1 A.4
_JPEG_START = b"\xff\xd8"  # SOI, ISO/IEC 10918-1 B.1
_END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_TAIL = 16
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RST: markers without a segment
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # SOF of JPEG; 0xF7: SOF of JPEG-LS


def coded_size(codestream: bytes) -> tuple[int, int]:
    """(rows, columns) that the codestream's header states.

    Raises:
        ValueError: no such header.
    """
    if codestream.startswith(_JP2_SIGNATURE):  # not allowed in DICOM (PS3.5 A.4.4), but seen: boxes around a codestream
        start = codestream.find(_J2K_START)
        if start < 0:
            raise ValueError("no codestream in the JP2 boxes")
        return _size_of_jpeg_2000(codestream, start)
    if codestream.startswith(_J2K_START):
        return _size_of_jpeg_2000(codestream, 0)
    if codestream.startswith(_JPEG_START):
        return _size_of_jpeg(codestream)
    raise ValueError("neither JPEG, JPEG-LS nor JPEG 2000")


def is_complete(codestream: bytes) -> bool:
    """Whether the codestream reaches its end marker; a few bytes that make the length even follow in real files."""
    return _END in codestream[-_TAIL:]


def _size_of_jpeg_2000(codestream: bytes, start: int) -> tuple[int, int]:
    """The image area on the reference grid: (Ysiz - YOsiz, Xsiz - XOsiz)."""
    if len(codestream) < start + 24:
        raise ValueError("the SIZ segment is cut off")
    x_end, y_end, x_start, y_start = unpack_from(">4I", codestream, start + 8)
    return y_end - y_start, x_end - x_start


def _size_of_jpeg(codestream: bytes) -> tuple[int, int]:
    """Walk the marker segments up to the frame header; its number of lines and samples per line."""
    position = 2
    while position + 9 <= len(codestream):
        if codestream[position] != 0xFF:
            raise ValueError("no marker where one must stand")
        marker = codestream[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker in _FRAME_HEADERS:
            rows, columns = unpack_from(">HH", codestream, position + 5)
            return rows, columns
        else:
            position += 2 + int.from_bytes(codestream[position + 2 : position + 4], "big")
    raise ValueError("no frame header")
