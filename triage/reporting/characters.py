"""Text of a film's header as bytes and back, by its Specific Character Set (PS3.3 C.12.1.1.2), so that copies stay exact."""

import unicodedata
from collections.abc import Sequence

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

DEFAULT: tuple[str, ...] = ("",)
"""The default repertoire, ISO 646."""
LATIN_1 = ("ISO_IR 100",)
UTF_8 = ("ISO_IR 192",)
_ALONE = frozenset({"ISO_IR 192", "GB18030", "GBK"})
"""Terms that no other may stand beside."""
_DEFAULT_TERMS = ("", "ISO_IR 6", "ISO 2022 IR 6")
_TERMS = frozenset(python_encoding) - {"ISO 2022 GBK", "ISO 2022 58", "ISO_IR 6"}  # the first two are misspellings
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def known(terms: Sequence[str]) -> tuple[str, ...] | None:
    """The terms as they may be written again; ``None``: they are not of the standard, or do not go together."""
    given = tuple(term.strip() for term in terms) or DEFAULT
    if len(given) == 1:
        return _alone(given[0])
    first, *rest = given
    extensions = all(term.startswith("ISO 2022 ") and term in _TERMS for term in rest)
    fits = first in _TERMS and first not in _ALONE and not first.startswith("ISO_IR")
    return given if extensions and fits and len(set(given)) == len(given) else None


def _alone(term: str) -> tuple[str, ...] | None:
    """A single term, or another one by which the same bytes are the same letters."""
    if term in _DEFAULT_TERMS:
        return DEFAULT
    if term.startswith("ISO 2022 "):  # with code extensions: not alone (PS3.3 C.12.1.1.2)
        single = term.replace("ISO 2022 ", "ISO_")
        return (single,) if single in _TERMS else ("", term) if term in _TERMS else None
    if term == "GBK":
        return ("GB18030",)  # holds all of GBK, and older judges know it
    return (term,) if term in _TERMS else None


def decoded(value: bytes, terms: tuple[str, ...], name: bool) -> str | None:
    """The text, when every byte of it belongs to these character sets and none controls anything; else ``None``."""
    try:
        if terms == DEFAULT:
            text = value.decode("ascii")
        elif len(terms) == 1:
            text = value.decode(python_encoding[terms[0]])
        else:
            text = decode_bytes(value, convert_encodings(list(terms)), PN_DELIMS if name else TEXT_VR_DELIMS)
    except (UnicodeError, LookupError, ValueError):
        return None
    return text if is_printable(text) else None


def encoded(text: str, terms: tuple[str, ...]) -> bytes:
    """The bytes of a text; what the character sets lack becomes a question mark."""
    if text.isascii():
        return text.encode("ascii")
    try:
        written = encode_string(text, convert_encodings(list(terms)))
    except (UnicodeError, LookupError, ValueError):
        written = b"\\"
    # some sets have another letter, or a part of one, where the others have the delimiter of values
    return written if b"\\" not in written else text.encode("ascii", "replace")


def is_printable(text: str) -> bool:
    """Whether nothing in it controls, formats or stands for what could not be read."""
    return _REPLACEMENT not in text and not any(unicodedata.category(letter).startswith("C") for letter in text)
