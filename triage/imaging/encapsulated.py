"""Encapsulated pixel data (PS3.5 A.4): items of fragments become the codestream of the one frame, or it is refused."""

from collections.abc import Iterator
from struct import unpack_from

from triage.imaging.damage import damaged
from triage.imaging.jpeg2000_stream import JP2_SIGNATURE, START

_ITEM = b"\xfe\xff\x00\xe0"
_STARTS = (b"\xff\xd8\xff", START, JP2_SIGNATURE)
_DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


def only_frame(data: bytes) -> bytes:
    """The codestream: all fragments after the Basic Offset Table, joined.

    The table itself is not looked at: some devices give it an entry for each fragment or a wrong one, and one frame needs
    none. What was joined must prove to be one codestream.

    Raises:
        PixelError: the items do not fill ``data``, there is no fragment, or a later one begins a codestream of its own.
    """
    _, *fragments = _items(data) or [b""]
    if any(fragment.startswith(_STARTS) for fragment in fragments[1:]):
        raise damaged("a second codestream where one frame is said to be")
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
