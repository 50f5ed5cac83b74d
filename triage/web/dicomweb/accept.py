"""Which form an answer takes: the Accept header (RFC 9110 12.5.1) against what is offered, by PS3.18 8.7."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from triage.web.dicomweb.refused import Refused

MULTIPART = "multipart/related"
ANY_SYNTAX = "*"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
MOST = 32
"""Media ranges that are looked at; no viewer names so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One form that an answer may have. ``multipart``: its parts are of ``media_type``.

    ``transfer_syntax``: of what is inside; ``default``: whether it is what goes out where the range names none.
    """

    media_type: str
    multipart: bool = False
    transfer_syntax: str | None = None
    default: bool = True


@dataclass(frozen=True, slots=True)
class MediaRange:
    """What a caller takes, and how gladly (0 to 1)."""

    media_type: str
    parameters: dict[str, str]
    quality: float

    def takes(self, offer: Offer) -> bool:
        """Whether the offer falls into the range."""
        if not self._takes_type(offer):
            return False
        syntax = self.parameters.get("transfer-syntax")
        if offer.transfer_syntax is None or syntax == ANY_SYNTAX:
            return True
        return offer.default if syntax is None else syntax == offer.transfer_syntax

    def _takes_type(self, offer: Offer) -> bool:
        if self.media_type == "*/*":
            return True
        if not offer.multipart:
            return _within(offer.media_type, self.media_type)
        inner = self.parameters.get("type", "*/*").lower()
        return self.media_type in (MULTIPART, "multipart/*") and _within(offer.media_type, inner)

    @property
    def precision(self) -> int:
        """The narrower range decides on an offer that falls into several (RFC 9110 12.5.1)."""
        return (not self.media_type.startswith("*")) + (not self.media_type.endswith("*")) + len(self.parameters)


def ranges(header: str) -> list[MediaRange]:
    """The media ranges of an Accept header; what is none is left out. An absent or empty header takes anything."""
    found = [one for text in _pieces(header, ",")[:MOST] if (one := _media_range(text)) is not None]
    return found if header.strip() else [MediaRange("*/*", {}, 1.0)]


def chosen(header: str | None, offers: Sequence[Offer], asked: str | None = None) -> Offer:
    """The offer that is taken most gladly; of equals the first. ``asked``: the query parameter ``accept`` (PS3.18 8.3.3.1).

    Raises:
        Refused: 406, with what there is.
    """
    found = ranges(asked if asked else header or "")
    best, most = None, 0.0
    for offer in offers:
        taking = [one for one in found if one.takes(offer)]
        quality = max(taking, key=lambda one: one.precision).quality if taking else 0.0
        if quality > most:
            best, most = offer, quality
    if best is None:
        raise Refused(406, f"There is: {', '.join(dict.fromkeys(map(_named, offers)))}")
    return best


def _media_range(text: str) -> MediaRange | None:
    kind, *rest = _pieces(text, ";") or [""]
    if not re.fullmatch(r"[^\s/]+/[^\s/]+", kind):
        return None
    parameters = {}
    for piece in rest:
        name, equals, value = piece.partition("=")
        if equals:
            parameters[name.strip().lower()] = unquoted(value.strip())
    try:
        quality = float(parameters.pop("q", "1"))
    except ValueError:
        return None
    return MediaRange(kind.lower(), parameters, quality if 0 <= quality <= 1 else 0.0)


def unquoted(value: str) -> str:
    """The value of a parameter, which may be a quoted string (RFC 9110 5.6.4)."""
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def content_type(header: str) -> tuple[str, dict[str, str]]:
    """Media type and parameters of a Content-Type header; empty where it is none."""
    found = _media_range(header)
    return (found.media_type, found.parameters) if found else ("", {})


def _pieces(text: str, separator: str) -> list[str]:
    """What stands between separators outside of quoted strings; a loop, for no pattern does it in one pass."""
    found, start, quoted, escaped = [], 0, False, False
    for place, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            found.append(text[start:place])
            start = place + 1
    return [piece.strip() for piece in [*found, text[start:]] if piece.strip()]


def _within(media_type: str, wanted: str) -> bool:
    kind, _, rest = wanted.partition("/")
    return wanted in ("*/*", media_type) or (rest == "*" and media_type.startswith(f"{kind}/"))


def _named(offer: Offer) -> str:
    inner = f'{MULTIPART}; type="{offer.media_type}"' if offer.multipart else offer.media_type
    return f"{inner}; transfer-syntax={offer.transfer_syntax}" if offer.transfer_syntax else inner
