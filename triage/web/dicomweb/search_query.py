"""What a search asks for (PS3.18 8.3.4, 10.6.1): the parameters of an address become a query, or a reason why they cannot."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from triage.domain.matching import MalformedKey
from triage.domain.query import Query, understood
from triage.domain.query_keys import EVERYWHERE, KEYS, ON_REQUEST, Key, KeyType, QueryLevel
from triage.web.dicomweb.refused import Refused

MOST_RESULTS = 1000
"""In one answer; more are asked for by ``offset``."""
MOST_DEPTH = 8
"""Names of one parameter, of an attribute within sequences."""
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_LISTED = frozenset({"UI", "CS"})
"""Representations in whose values no comma stands: there it parts several of them (PS3.18 8.3.4.1)."""
_ASIDE = frozenset({"accept", "charset"})
"""Parameters of every request (PS3.18 8.3.3), looked at elsewhere or meaningless here: JSON is UTF-8."""
NOT_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """``keys``: which attributes an answer has, known or not; ``warnings``: what the caller has to be told."""

    query: Query
    limit: int
    offset: int
    keys: tuple[Key, ...]
    warnings: tuple[str, ...]


def search_of(level: QueryLevel, parameters: Iterable[tuple[str, str]], place: Mapping[str, str]) -> Search:
    """The search. ``place``: the UIDs of the address, by keyword.

    Raises:
        Refused: 400.
    """
    asked: dict[str, list[str]] = {}
    matched: dict[str, list[str]] = {keyword: [value] for keyword, value in place.items()}
    for name, value in parameters:
        if name in ("limit", "offset", "includefield", "fuzzymatching"):
            asked.setdefault(name, []).append(value)
        elif name not in _ASIDE:
            _add(matched, _keyword_of(name), value, place)
    limit, offset = _number(asked, "limit", MOST_RESULTS), _number(asked, "offset", 0)
    try:
        query = understood(level, {keyword: "\\".join(values) for keyword, values in matched.items()})
    except MalformedKey as error:
        raise Refused(400, str(error)) from None
    warnings = [NOT_FUZZY] if _flag(asked, "fuzzymatching") else []
    if query.ignored:
        warnings.append(f"Not matched at this level: {', '.join(query.ignored)}")
    return Search(
        query=query,
        limit=min(limit, MOST_RESULTS),
        offset=offset,
        keys=_told(level, asked.get("includefield", []), set(matched), whole=not place),
        warnings=tuple(warnings),
    )


def _add(matched: dict[str, list[str]], keyword: str, value: str, place: Mapping[str, str]) -> None:
    if keyword in place:
        raise Refused(400, f"{keyword} stands in the address already")
    listed = keyword in KEYS and KEYS[keyword].vr in _LISTED
    matched.setdefault(keyword, []).extend(value.split(",") if listed else [value])


def _keyword_of(name: str) -> str:
    """The keyword of an attribute that is named by keyword or tag.

    Raises:
        Refused: 400: it is none. What is wrong is not repeated.
    """
    if _TAG.fullmatch(name):
        return keyword_for_tag(int(name, 16)) or f"{name.upper()}"
    if tag_for_keyword(name) is not None:
        return name
    path = name.split(".", MOST_DEPTH)  # within sequences (PS3.18 8.3.4.1): known, and not matched
    if 1 < len(path) <= MOST_DEPTH and all(path):
        return ".".join(map(_keyword_of, path))
    raise Refused(400, "a parameter is no attribute: give a keyword or a tag of eight hexadecimal digits")


def _told(level: QueryLevel, fields: list[str], matched: set[str], *, whole: bool) -> tuple[Key, ...]:
    """Which attributes an answer has: those of its level, and above it what names it; all where nothing above was chosen."""
    named = {field.strip() for value in fields for field in value.split(",") if field.strip()}
    wanted = {_keyword_of(field) for field in named - {"all"}} | matched
    everything = whole or "all" in named

    def is_told(key: Key) -> bool:
        if key.level.depth > level.depth:
            return False
        if key.keyword in wanted:
            return True
        return key.keyword not in ON_REQUEST and (everything or key.level is level or key.type is KeyType.UNIQUE)

    return tuple(key for key in [*KEYS.values(), *EVERYWHERE.values()] if is_told(key))


def _number(asked: dict[str, list[str]], name: str, default: int) -> int:
    values = asked.get(name, [])
    if not values:
        return default
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        raise Refused(400, f"{name}: give one whole number from 0 to 999999999")
    return int(values[0])


def _flag(asked: dict[str, list[str]], name: str) -> bool:
    values = asked.get(name, ["false"])
    if len(values) > 1 or values[0] not in ("true", "false"):
        raise Refused(400, f"{name}: give true or false")
    return values[0] == "true"
