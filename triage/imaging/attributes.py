"""The attributes of a header that queries are answered from: keyword → values as text, never trusted, always bounded.

Nearly every value of a film is plain ASCII: those are decoded here, straight from their bytes, as the library would take ten
times as long for each. What is not ASCII goes through it, with the character sets that the film names.
"""

import unicodedata
from collections.abc import Mapping

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from triage.domain.query_keys import MULTIPLE, STORED
from triage.imaging.elements import values

LONGEST = 256
"""Characters kept of one value; longer than any of these representations allows (PS3.5 6.2: LO 64, PN 3 × 64)."""
MOST_VALUES = 16

Attributes = Mapping[str, tuple[str, ...]]
"""Values by keyword; what is absent, empty or unreadable is not there."""

_CONTROL = dict.fromkeys((*range(32), 127))  # no value here may hold a line break
_BY_TAG = {key.tag: (key.keyword, key.vr) for key in STORED}


def attributes_of(dataset: Dataset) -> Attributes:
    """What a header tells of its patient, study, series and image. Never raises."""
    found = {}
    for tag in dataset.keys() & _BY_TAG.keys():
        keyword, vr = _BY_TAG[tag]
        if value := _values(dataset, keyword, tag, vr):
            found[keyword] = value
    return found


def _values(dataset: Dataset, keyword: str, tag: BaseTag, vr: str) -> tuple[str, ...]:
    raw: object = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        if vr == "US":
            return _unsigned(raw.value, raw.is_little_endian)
        if len(raw.value) <= LONGEST * MOST_VALUES and raw.value.isascii() and b"\x1b" not in raw.value:
            text = raw.value.decode("ascii")
            return _clean(text.split("\\") if keyword in MULTIPLE else [text])
    read = _read(dataset, keyword)
    return _clean(read if keyword in MULTIPLE or not read else ["\\".join(read)])


def _read(dataset: Dataset, keyword: str) -> list[str]:
    try:
        return [text[: 4 * LONGEST] for value in values(dataset, keyword)[:MOST_VALUES] if (text := str(value))]
    except Exception:  # a lazily decoded PersonName
        return []


def _unsigned(value: bytes, is_little_endian: bool) -> tuple[str, ...]:
    order = "little" if is_little_endian else "big"
    return (str(int.from_bytes(value[:2], order)),) if len(value) >= 2 else ()  # type: ignore[arg-type]


def _clean(texts: list[str]) -> tuple[str, ...]:
    kept = tuple(_printable(text).strip()[:LONGEST].strip() for text in texts[:MOST_VALUES])
    return kept if any(kept) else ()


def _printable(text: str) -> str:
    """Without control and format characters (which turn text around) and without surrogates, which nothing encodes."""
    if text.isascii():
        return text.translate(_CONTROL)
    return "".join(letter for letter in text if not unicodedata.category(letter).startswith("C"))
