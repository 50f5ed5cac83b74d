"""The identifier of a query (PS3.4 C.4.1.1.3): bytes in, keys out; and what answers it, as bytes."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from triage.dimse.command import LONGEST_IDENTIFIER
from triage.dimse.query_models import Model
from triage.domain.errors import CannotUnderstand, TriageError
from triage.domain.query_keys import EVERYWHERE, KEYS, UNIQUE, QueryLevel
from triage.imaging.elements import keep_quiet, values

IMPLICIT = "1.2.840.10008.1.2"
UNDEFINED = 0xFFFFFFFF
_ABOUT_ITSELF = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"})
CHARACTER_SETS = (("", "ascii"), ("ISO_IR 100", "latin-1"), ("ISO_IR 192", "utf-8"))
"""The first that can hold an answer: old viewers know the first ones only (PS3.3 C.12.1.1.2)."""
_QUERY_LEVEL, _CHARACTER_SET, FAILED_LIST = 0x00080052, 0x00080005, 0x00080058
_MOST_BYTES = 0xFFFF


class IdentifierMismatch(TriageError):
    """The identifier is not one of the SOP class: its level, or a unique key above it (PS3.4 C.4.1.1.4, 0xA900)."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What was asked: keyword → value as it came, in the order of the tags."""

    level: QueryLevel
    keys: Mapping[str, str]


def parse(content: bytes, transfer_syntax: str, model: Model) -> Identifier:
    """An identifier of a SOP class.

    Raises:
        CannotUnderstand: not a data set that can be read, or too long.
        IdentifierMismatch: its level is none of the model's, or a unique key above it has no value or several.
    """
    if len(content) > LONGEST_IDENTIFIER:
        raise CannotUnderstand("the identifier is too long")
    keep_quiet()
    try:
        dataset = read_dataset(BytesIO(content), is_implicit_VR=transfer_syntax == IMPLICIT, is_little_endian=True)
        if any(_is_cut_off(dataset.get_item(tag)) for tag in dataset.keys()):  # noqa: SIM118 - its items would be decoded
            raise EOFError
        keys = {_keyword(int(tag)): _text(dataset, int(tag)) for tag in sorted(dataset.keys())}
    except Exception as error:  # hostile bytes make pydicom raise nearly any type
        raise CannotUnderstand(f"not an identifier that can be read: {type(error).__name__}") from None
    level = keys.get("QueryRetrieveLevel", "").strip()
    if level not in model.levels:
        raise IdentifierMismatch("Query/Retrieve Level is none of the model")
    depth = model.levels.index(QueryLevel(level))
    for above in model.levels[:depth]:
        value = keys.get(UNIQUE[above], "").strip(" \0")
        if not value or "\\" in value or (above is QueryLevel.PATIENT and set(value) & set("*?")):
            raise IdentifierMismatch(f"{UNIQUE[above]} needs its one value at level {level}")
    return Identifier(QueryLevel(level), {name: value for name, value in keys.items() if name not in _ABOUT_ITSELF})


def _is_cut_off(element: object) -> bool:
    """Whether it ended before its length, which pydicom lets pass: half a key would be another question."""
    return isinstance(element, RawDataElement) and len(element.value or b"") != element.length != UNDEFINED


def _keyword(tag: int) -> str:
    """What is not in the data dictionary is named by its tag, so that it counts as a key that was ignored."""
    return keyword_for_tag(tag) or f"{tag:08X}"


def _text(dataset: Dataset, tag: int) -> str:
    keyword = keyword_for_tag(tag)
    known = keyword in KEYS or keyword in _ABOUT_ITSELF
    return "\\".join(map(str, values(dataset, keyword))) if known else ""


def answer(identifier: Identifier, attributes: Mapping[str, tuple[str, ...]], model: Model, transfer_syntax: str) -> bytes:
    """What answers it: the keys that were asked for, each with its values or empty; the unique ones in any case."""
    depth = model.levels.index(identifier.level)
    wanted = {UNIQUE[level]: None for level in model.levels[: depth + 1]} | dict.fromkeys(identifier.keys)
    elements = {}
    for keyword in (*wanted, *EVERYWHERE):
        key = EVERYWHERE.get(keyword) or KEYS.get(keyword)
        if key is not None and key.level.depth <= identifier.level.depth:
            elements[key.tag] = (key.vr, attributes.get(keyword, ()))
    elements[_QUERY_LEVEL] = ("CS", (identifier.level.value,))
    return encode(elements, transfer_syntax)


def failed_list(sop_instance_uids: Sequence[str], transfer_syntax: str) -> bytes:
    """Failed SOP Instance UID List (0008,0058)."""
    return encode({FAILED_LIST: ("UI", tuple(sop_instance_uids))}, transfer_syntax)


def encode(elements: Mapping[int, tuple[str, Sequence[str]]], transfer_syntax: str) -> bytes:
    """A data set of short elements, with the character set that it needs."""
    texts = "".join(value for _, some in elements.values() for value in some)
    name, codec = next(one for one in CHARACTER_SETS if _can_hold(one[1], texts))
    told = {**elements, **({_CHARACTER_SET: ("CS", (name,))} if name else {})}
    return b"".join(_element(tag, *told[tag], codec, transfer_syntax == IMPLICIT) for tag in sorted(told))


def _can_hold(codec: str, text: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _element(tag: int, vr: str, some: Sequence[str], codec: str, is_implicit: bool) -> bytes:
    if vr == "US":
        content = b"".join(struct.pack("<H", int(value) & 0xFFFF) for value in some)
    else:
        content = "\\".join(some).encode(codec, "replace")
        content += (b"\0" if vr == "UI" else b" ") * (len(content) % 2)
    if not is_implicit and len(content) > _MOST_BYTES:  # a list of a thousand UIDs: what fits (PS3.5 7.1.2)
        content = content[: content.rindex(b"\\", 0, _MOST_BYTES)]
        content += b"\0" * (len(content) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    return head + (struct.pack("<I", len(content)) if is_implicit else vr.encode() + struct.pack("<H", len(content))) + content
