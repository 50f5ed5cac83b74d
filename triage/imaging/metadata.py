"""The DICOM JSON Model of an object (PS3.18 F.2): every element before the pixels, large values by reference."""

import json
from typing import Any, BinaryIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.header import read_until

INLINE_BYTES = 64 << 10
"""Values that are longer are told by reference: no look-up table, but an overlay as large as the film."""
MOST_BYTES = 4 << 20
"""Of a header as JSON; no film needs as much."""
MOST_DEPTH = 16
_PIXELS = 0x7FE0
_CHARACTER_SET = "00080005"
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
REFERENCE = "BulkDataURI"


def header_json(film: BinaryIO) -> bytes:
    """The header of a whole object as JSON in ASCII; a reference is the tag (``00283006``) and nothing before it.

    Pixel data have no element here: a viewer asks for frames. What cannot be read has none, either.

    Raises:
        PixelError: cannot_decode, when it is not a data set that can be read, or too large.
    """
    told = json_model(read_until(film, _PIXELS))
    if _CHARACTER_SET in told:
        told[_CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}  # PS3.18 F.2: it is UTF-8 now
    encoded = json.dumps(told, separators=(",", ":")).encode("ascii")
    if len(encoded) > MOST_BYTES:
        raise PixelError(Reason.CANNOT_DECODE, "a header of more bytes than a film has")
    return encoded


def bulk_value(film: BinaryIO, tag: str) -> bytes | None:
    """The value of one element that :func:`header_json` tells by reference, as it is stored; ``None``: there is none."""
    dataset = read_until(film, _PIXELS)
    number = BaseTag(int(tag, 16))
    element = dataset.get(number)
    return element.value if element is not None and element.VR in _BYTES and isinstance(element.value, bytes) else None


def json_model(dataset: Dataset, depth: int = 0) -> dict[str, Any]:
    """The elements of a data set, or of an item, by tag."""
    told = {}
    for tag in sorted(dataset.keys()):
        if tag.group >= 8 and tag.element != 0:  # no command, no file meta information, no group length (PS3.18 F.2.2)
            value = _readable(dataset, tag, depth)
            if value is not None:
                told[f"{int(tag):08X}"] = value
    return told


def _readable(dataset: Dataset, tag: BaseTag, depth: int) -> dict[str, Any] | None:
    try:
        value = _element(dataset[tag], depth)
        json.dumps(value, allow_nan=False)
    except Exception:  # as in header.read_header: there is nothing to tell of it
        return None
    return value


def _element(element: DataElement, depth: int) -> dict[str, Any] | None:
    if element.VR == "SQ":
        if depth >= MOST_DEPTH:
            return None
        items = [json_model(item, depth + 1) for item in element.value]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if depth == 0 and element.VR in _BYTES and isinstance(element.value, bytes) and len(element.value) > INLINE_BYTES:
        return {"vr": element.VR, REFERENCE: f"{int(element.tag):08X}"}
    told: dict[str, Any] = element.to_json_dict(None, 1 << 62)
    return told if len(told.get("vr", "")) == 2 else None
