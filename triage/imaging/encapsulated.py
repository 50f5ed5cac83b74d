"""Encapsulated pixel data (PS3.5 A.4): items of fragments become the codestream of the one frame, or it is refused."""

from collections.abc import Iterator
from struct import unpack_from

from triage.imaging.damage import damaged

_ITEM = b"\xfe\xff\x00\xe0"
_DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


def only_frame(data: bytes) -> bytes:
    """The codestream: all fragments after the Basic Offset Table, joined.

    Raises:
        PixelError: the items do not fill ``data``, a Basic Offset Table that knows another number of frames than one or
            another place than the first fragment (PS3.5 A.4), or no fragment.
    """
    table, *fragments = _items(data) or [b""]
    if table and table != bytes(4):
        raise damaged("the Basic Offset Table does not fit one frame")
    if not any(fragments):
        raise damaged("encapsulated pixel data without a fragment")
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def _items(data: bytes) -> list[bytes]:
    return list(_walk(data))


def _walk(data: bytes) -> Iterator[bytes]:
    """The values of the items, up to the end of the data or a Sequence Delimitation Item that ends them."""
    position = 0
    while position < len(data):
        if data[position:] == _DELIMITER:
            return
        if data[position : position + 4] != _ITEM or position + 8 > len(data):
            raise damaged("something else than a fragment within encapsulated pixel data")
        (length,) = unpack_from("<I", data, position + 4)
        position += 8
        if position + length > len(data):
            raise damaged("a fragment reaches beyond the pixel data")
        yield data[position : position + length]
        position += length
