"""The marker segments of a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A), walked from tile-part to tile-part to the end."""

from dataclasses import dataclass
from struct import unpack_from

from triage.imaging.damage import damaged, is_padding

JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
START = b"\xff\x4f\xff\x51"  # SOC and SIZ, A.4

_COD, _COC, _QCD, _CAP, _SOT, _SOD, _EOC = 0xFF52, 0xFF53, 0xFF5C, 0xFF50, 0xFF90, 0xFF93, 0xFFD9
_HIGH_THROUGHPUT = 0x4000  # bit 14 of Rsiz: capabilities of ISO/IEC 15444-15
_MOST_TILES = 65_535


@dataclass(slots=True, kw_only=True)
class Jpeg2000Stream:
    """What the main header says. ``reversible``: the 5/3 wavelet and no quantization; ``high_throughput``: HTJ2K.

    ``levels``: how often the wavelet halves the image. ``plain``: one tile from the origin of the grid, coded alike throughout.
    """

    rows: int
    columns: int
    precision: int
    signed: bool
    components: int
    high_throughput: bool
    reversible: bool = False
    levels: int = 0
    plain: bool = False


def read_jpeg_2000(codestream: bytes) -> Jpeg2000Stream:
    """Walk the main header and every tile-part; nothing is decoded.

    Boxes around the codestream are not allowed in DICOM (PS3.5 A.4.4), but are seen, and let pass.

    Raises:
        PixelError: no such stream, an image area or tiles that cannot be, a header without coding style or quantization,
            tile-parts that do not add up to the end marker.
    """
    boxed = codestream.startswith(JP2_SIGNATURE)
    start = codestream.find(START) if boxed else 0
    if start < 0 or not codestream.startswith(START, start):
        raise damaged("not a JPEG 2000 codestream")
    stream, tiles = _image_and_tiles(codestream, start + 2)
    position, seen = start + 4 + _length(codestream, start + 4), set()
    while (marker := _marker(codestream, position)) != _SOT:
        length = _length(codestream, position + 2)
        if marker == _COD and length >= 12:
            stream.levels, stream.reversible = codestream[position + 9], codestream[position + 13] == 1
        seen.add(marker)
        position += 2 + length
    if not {_COD, _QCD} <= seen or stream.high_throughput != (_CAP in seen):
        raise damaged("the main header lacks a marker segment")
    stream.plain &= _COC not in seen
    end = _tile_parts(codestream, position, tiles)
    if not boxed and not is_padding(codestream[end:]):
        raise damaged("something stands behind the end of the codestream")
    return stream


def _image_and_tiles(codestream: bytes, position: int) -> tuple[Jpeg2000Stream, int]:
    """SIZ, A.5.1; the image area on the reference grid is that of the one component."""
    if len(codestream) < position + 43 or _length(codestream, position + 2) < 41:
        raise damaged("the SIZ segment is cut off")
    capabilities, *grid = unpack_from(">H8I", codestream, position + 4)
    x_end, y_end, x_start, y_start, tile_width, tile_height, tile_x, tile_y = grid
    components, depth, x_step, y_step = unpack_from(">H3B", codestream, position + 38)
    sane = (
        x_start < x_end and y_start < y_end
        and tile_x <= x_start < tile_x + tile_width
        and tile_y <= y_start < tile_y + tile_height
    )  # fmt: skip
    if not sane or (x_step, y_step) != (1, 1):
        raise damaged("an image area that cannot be")
    tiles = -(-(x_end - tile_x) // tile_width) * -(-(y_end - tile_y) // tile_height)
    if tiles > _MOST_TILES:
        raise damaged("more tiles than a codestream can number")
    if components != 1:
        raise damaged("more than one component")
    stream = Jpeg2000Stream(
        rows=y_end - y_start,
        columns=x_end - x_start,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        components=components,
        high_throughput=bool(capabilities & _HIGH_THROUGHPUT),
        plain=tiles == 1 and not any((x_start, y_start, tile_x, tile_y)),
    )
    return stream, tiles


def _tile_parts(codestream: bytes, position: int, tiles: int) -> int:
    """From SOT to SOT by Psot (A.4.2), every tile at least once, to EOC; where that ends."""
    missing = set(range(tiles))
    while (marker := _marker(codestream, position)) == _SOT:
        if position + 12 > len(codestream) or _length(codestream, position + 2) != 10:
            raise damaged("a tile-part header of the wrong length")
        tile, size = unpack_from(">HI", codestream, position + 4)
        if size == 0:  # the last tile-part, up to EOC
            size = codestream.rfind(b"\xff\xd9") - position
        if tile >= tiles or size < 14 or position + size + 2 > len(codestream):
            raise damaged("a tile-part reaches beyond the codestream")
        _tile_part_header(codestream, position + 12, position + size)
        missing.discard(tile)
        position += size
    if marker != _EOC:
        raise damaged("the tile-parts do not add up to the end of the codestream")
    if missing:
        raise damaged("a tile is missing")
    return position + 2


def _tile_part_header(codestream: bytes, position: int, end: int) -> None:
    """Marker segments up to SOD, all within the tile-part."""
    while _marker(codestream, position) != _SOD:
        position += 2 + _length(codestream, position + 2)
        if position + 2 > end:
            raise damaged("a tile-part without data")


def _marker(codestream: bytes, position: int) -> int:
    marker = int.from_bytes(codestream[position : position + 2], "big")
    if marker < 0xFF00 or position + 2 > len(codestream):
        raise damaged("no marker where one must stand")
    return marker


def _length(codestream: bytes, position: int) -> int:
    length = int.from_bytes(codestream[position : position + 2], "big")
    if length < 2 or position + length > len(codestream):
        raise damaged("a marker segment reaches beyond the codestream")
    return length
