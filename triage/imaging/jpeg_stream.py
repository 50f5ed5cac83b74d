"""The marker segments of a JPEG or JPEG-LS codestream (ISO/IEC 10918-1 Annex B, ISO/IEC 14495-1 Annex C), walked to the end."""

from dataclasses import dataclass, field
from struct import unpack_from

import numpy as np

from triage.imaging.damage import damaged, is_padding

JPEG_LS = 55
"""The process that the start-of-frame marker 0xFFF7 stands for, as JPEG's own markers 0xFFC0 + n stand for n."""
LOSSLESS = 3

_SOI, _EOI, _SOS, _DHT, _DQT, _DRI = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD
_PROCESSES = {marker: marker - 0xC0 for marker in {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}} | {0xF7: JPEG_LS}
_PASSED_OVER = frozenset({0xF8, 0xFE, *range(0xE0, 0xF0)})  # LSE of JPEG-LS, COM, APPn
_STUFFED = {False: 0x00, True: 0x7F}
"""Greatest byte that follows 0xFF within coded data: a stuffed zero (B.1.1.5), in JPEG-LS a stuffed bit (A.1)."""


@dataclass(slots=True, kw_only=True)
class JpegStream:
    """What the headers of a codestream of one frame and one scan say.

    ``start`` and ``end`` enclose the entropy-coded data, ``restarts``: where each restart marker in it starts and ends.
    ``tables``: class and destination of each Huffman table (B.2.4.2), from code length to symbols; ``table`` and
    ``rest_table`` are the scan's. ``quantizers``: the step of the first coefficient, ``quantizer`` the frame's. ``near`` is
    JPEG-LS's NEAR, for JPEG lossless the selected predictor.
    """

    process: int = -1
    precision: int = 0
    rows: int = 0
    columns: int = 0
    components: int = 0
    table: int = 0
    rest_table: int = 0
    quantizer: int = 0
    near: int = 0
    point_transform: int = 0
    restart_interval: int = 0
    start: int = 0
    end: int = 0
    restarts: list[tuple[int, int]] = field(default_factory=list)
    tables: dict[int, list[bytes]] = field(default_factory=dict)
    quantizers: dict[int, int] = field(default_factory=dict)


def read_jpeg(codestream: bytes) -> JpegStream:
    """Walk every marker segment from SOI to EOI; nothing is decoded.

    Raises:
        PixelError: a marker where none may be or none where one must be, a segment that leaves the stream, two frames or
            scans, restart markers out of their order, no EOI, or much behind it.
    """
    if codestream[:2] != bytes((0xFF, _SOI)):
        raise damaged("not a JPEG codestream")
    stream = JpegStream()
    position, marker = 2, 0
    while marker != _SOS:
        position, marker, segment = _segment(codestream, position)
        if marker in _PROCESSES:
            _frame_header(stream, _PROCESSES[marker], segment)
        elif marker == _SOS:
            _scan_header(stream, segment)
        elif marker == _DHT:
            _huffman_tables(stream, segment)
        elif marker == _DQT:
            _quantization_tables(stream, segment)
        elif marker == _DRI:
            stream.restart_interval = int.from_bytes(segment, "big")
        elif marker not in _PASSED_OVER:
            raise damaged("a marker that does not belong before the coded data")
    stream.start = position
    _coded_data(stream, codestream)
    return stream


def _segment(codestream: bytes, position: int) -> tuple[int, int, bytes]:
    """The next marker segment: where it ends, its marker, its contents without the length."""
    while codestream[position : position + 2] == b"\xff\xff":  # fill bytes, B.1.1.2
        position += 1
    if position + 4 > len(codestream) or codestream[position] != 0xFF:
        raise damaged("no marker where one must stand")
    marker, length = codestream[position + 1], int.from_bytes(codestream[position + 2 : position + 4], "big")
    end = position + 2 + length
    if length < 2 or end > len(codestream):
        raise damaged("a marker segment reaches beyond the codestream")
    return end, marker, codestream[position + 4 : end]


def _frame_header(stream: JpegStream, process: int, segment: bytes) -> None:
    """B.2.2; sampling factors of a single component have no meaning (A.2.2)."""
    if stream.process >= 0:
        raise damaged("two frame headers")
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise damaged("a frame header of the wrong length")
    stream.process = process
    stream.precision, stream.rows, stream.columns, stream.components = unpack_from(">BHHB", segment)
    stream.quantizer = segment[-1]


def _scan_header(stream: JpegStream, segment: bytes) -> None:
    """B.2.3 for one component; JPEG-LS C.2.3 has NEAR and the interleave mode where JPEG has Ss and Se."""
    if stream.process < 0:
        raise damaged("a scan without a frame header")
    if stream.components != 1 or len(segment) != 6 or segment[0] != 1:
        raise damaged("more than one component")
    _, _, tables, stream.near, last, approximation = segment
    stream.table, stream.rest_table, stream.point_transform = tables >> 4, 0x10 | tables & 15, approximation & 15
    sequential = stream.process not in (JPEG_LS, LOSSLESS)
    # the end of the spectral selection means nothing in a sequential frame, and NEMA's own films have 0 for it
    if last not in ((0, 63) if sequential else (0,)) or approximation >> 4 or (sequential and approximation):
        raise damaged("a scan of another kind than the frame")


def _huffman_tables(stream: JpegStream, segment: bytes) -> None:
    """B.2.4.2: 16 counts, then as many symbols."""
    while segment:
        counts = segment[1:17]
        size = sum(counts)
        if len(counts) != 16 or len(segment) < 17 + size:
            raise damaged("a Huffman table of the wrong length")
        symbols, position = [], 17
        for count in counts:
            symbols.append(segment[position : position + count])
            position += count
        stream.tables[segment[0]] = symbols
        segment = segment[position:]


def _quantization_tables(stream: JpegStream, segment: bytes) -> None:
    """B.2.4.1: 64 elements of 8 or 16 bits; the first of them is kept."""
    while segment:
        deep, name = segment[0] >> 4, segment[0] & 15
        size = 1 + 64 * (1 + deep)
        if deep > 1 or len(segment) < size:
            raise damaged("a quantization table of the wrong length")
        stream.quantizers[name] = int.from_bytes(segment[1 : 2 + deep], "big")
        segment = segment[size:]


def _coded_data(stream: JpegStream, codestream: bytes) -> None:
    """Up to EOI; RST0 to RST7 in turn (B.2.1) where a restart interval is set, no other marker."""
    data = np.frombuffer(codestream, dtype=np.uint8, offset=stream.start)
    places = np.flatnonzero(data[:-1] == 0xFF)
    followers = data[places + 1]
    markers = places[(followers > _STUFFED[stream.process == JPEG_LS]) & (followers != 0xFF)]
    for place in (stream.start + int(marker) for marker in markers):
        marker = codestream[place + 1]
        if marker == _EOI:
            stream.end = _before_fill_bytes(codestream, place)
            if not is_padding(codestream[place + 2 :]):
                raise damaged("something stands behind the end of the codestream")
            return
        if not stream.restart_interval or marker != 0xD0 + len(stream.restarts) % 8:
            raise damaged("a marker within the coded data")
        stream.restarts.append((_before_fill_bytes(codestream, place), place + 2))
    raise damaged("the codestream is cut off")


def _before_fill_bytes(codestream: bytes, place: int) -> int:
    """Any marker may follow bytes of 0xFF (B.1.1.2)."""
    while codestream[place - 1] == 0xFF:
        place -= 1
    return place
