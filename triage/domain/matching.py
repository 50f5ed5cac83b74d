"""How the value of a key matches the value of an attribute (PS3.4 C.2.2.2), by value representation.

Single value, list of UIDs, universal, wild card and range matching. Case counts, but not in names of people (PN). A list is
taken for any representation, as many archives do. Sequences are not matched. All of it is linear in practice and bounded:
what a key may be long is limited, and no regular expression is made of it.
"""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date

from triage.domain.errors import TriageError

LONGEST_KEY = 64 << 10
"""Characters of all values of one key."""
MOST_VALUES = 1000
LONGEST_VALUE = 256
"""Characters of one value; a stored one is no longer (triage/imaging/attributes.py)."""

WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
"""Representations in which ``*`` and ``?`` are wild (PS3.4 C.2.2.2.4)."""
NUMBERS = frozenset({"IS", "DS", "US", "UL", "SS", "SL", "FL", "FD"})
_NAME_PARTS = 5  # components of a name (PS3.5 6.2.1)

Values = Sequence[str]
Matcher = Callable[[Values], bool]
PairTest = Callable[[Values, Values], bool]
Span = tuple[int, int]


class MalformedKey(TriageError):
    """A key whose value cannot be one of its representation. The message names the keyword, never the value."""


def matcher(keyword: str, vr: str, asked: str) -> Matcher | None:
    """What tells whether the values of an attribute match; ``None``: all do (PS3.4 C.2.2.2.3).

    Raises:
        MalformedKey: too long, or no date, time or number where one is needed.
    """
    if len(asked) > LONGEST_KEY:
        raise MalformedKey(f"{keyword}: the key is too long")
    wanted = [one for value in asked.split("\\") if (one := value.strip(" \0"))]
    nothing = frozenset("*^= ") if vr == "PN" else frozenset("*")  # *^*, ^: a form of which no part was filled in
    if not wanted or any(nothing.issuperset(one) for one in wanted) or vr == "SQ":
        return None
    if len(wanted) > MOST_VALUES or max(map(len, wanted)) > LONGEST_VALUE:
        raise MalformedKey(f"{keyword}: the key is too long")
    try:
        return _by_representation(vr, wanted)
    except ValueError:
        raise MalformedKey(f"{keyword}: not a value of {vr}") from None


def _by_representation(vr: str, wanted: Sequence[str]) -> Matcher:
    if vr == "DA":
        return _in_ranges([span_of(one, date_span) for one in wanted], date_span)
    if vr == "TM":
        return _in_ranges([span_of(one, time_span) for one in wanted], time_span)
    if vr in NUMBERS:
        numbers = {float(one) for one in wanted}
        return lambda values: any(_number(value) in numbers for value in values)
    if vr == "PN":
        return _any_of([_name_test(one) for one in wanted])
    if vr in WILD:
        return _any_of([_text_test(one) for one in wanted])
    exact = frozenset(wanted)
    return lambda values: any(value.strip(" \0") in exact for value in values)


def _any_of(tests: Sequence[Callable[[str], bool]]) -> Matcher:
    return lambda values: any(test(value) for value in values for test in tests)


def _text_test(wanted: str) -> Callable[[str], bool]:
    if not is_wild(wanted):
        return lambda value: value.strip(" \0") == wanted
    return lambda value: fits(wanted, value.strip(" \0"))


def is_wild(text: str) -> bool:
    """Whether it holds a wild card."""
    return "*" in text or "?" in text


def fits(pattern: str, text: str) -> bool:
    """Whether ``*`` (any characters, also none) and ``?`` (exactly one) make ``text`` of ``pattern``.

    One way back only, to the last star: at most len(pattern) × len(text) steps, whatever a hostile pattern holds.
    """
    at = place = 0
    star, resume = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return all(letter == "*" for letter in pattern[at:])


def _name_test(wanted: str) -> Callable[[str], bool]:
    """A name: the whole of it or one of its groups (alphabetic, ideographic, phonetic); empty components do not count.

    Of a key of several groups each that is not empty is that of its place: ``=山田*`` asks for the ideographic one.
    """
    groups = _folded(wanted).split("=")
    if len(groups) == 1:
        return _group_test(groups[0])
    whole = _group_test(_folded(wanted))
    tests = [(place, _group_test(group)) for place, group in enumerate(groups) if group.strip("^ ")]

    def matches(value: str) -> bool:
        theirs = value.split("=")
        return whole(value) or (bool(tests) and all(place < len(theirs) and test(theirs[place]) for place, test in tests))

    return matches


def _group_test(folded: str) -> Callable[[str], bool]:
    if not is_wild(folded):
        bare = "=".join(_bare(group) for group in folded.split("=")).rstrip("=")
        return lambda value: bare in _spellings(value, padded=False)
    return lambda value: any(fits(folded, spelling) for spelling in _spellings(value, padded=True))


def _spellings(value: str, *, padded: bool) -> list[str]:
    groups = [_bare(group) for group in _folded(value).split("=")]
    found = ["=".join(groups).rstrip("="), *(group for group in groups if group)]
    if padded:  # for DOE^JANE^* where only DOE^JANE is stored
        found += [group + "^" * (_NAME_PARTS - 1 - group.count("^")) for group in groups if group]
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip(" \0")


def _bare(group: str) -> str:
    return "^".join(part.strip() for part in group.split("^")).rstrip("^")


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _in_ranges(spans: Sequence[Span], read: Callable[[str], Span]) -> Matcher:
    def matches(values: Values) -> bool:
        for value in values:
            try:
                begin, _ = read(value.strip(" \0"))
            except ValueError:
                continue
            if any(first <= begin <= last for first, last in spans):
                return True
        return False

    return matches


def span_of(text: str, read: Callable[[str], Span]) -> Span:
    """The first and last moment that a key of one value or a range stands for, open ends included (PS3.4 C.2.2.2.5).

    Raises:
        ValueError: neither.
    """
    first, dash, last = text.partition("-")
    if not dash:
        return read(text)
    if not first.strip() and not last.strip():
        raise ValueError("a range without ends")
    begin = read(first.strip())[0] if first.strip() else 0
    end = read(last.strip())[1] if last.strip() else _FOREVER
    return begin, end


_FOREVER = 1 << 62
_DAY = 24 * 3600 * 1_000_000


def date_span(text: str) -> Span:
    """A date, as in PS3.5 6.2, of old (``2020.01.02``) or as some devices write it (``2020-01-02``), as the number of its day.

    Raises:
        ValueError: no date.
    """
    parted = len(text) == 10 and text[4] == text[7] and text[4] in ".-"
    digits = _digits(text.replace(text[4], "") if parted else text)
    if len(digits) != 8:
        raise ValueError("not a date")
    day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal()
    return day, day


def time_span(text: str) -> Span:
    """A time of day in microseconds, from the first to the last that its digits can stand for: ``10`` is the whole hour.

    What is finer is cut off: some devices write seven digits of a second.

    Raises:
        ValueError: no time.
    """
    whole, _, fraction = text.replace(":", "").partition(".")
    digits = _digits(whole)
    if len(digits) not in (2, 4, 6) or (fraction and len(digits) != 6):
        raise ValueError("not a time")
    fraction = _digits(fraction)[:6] if fraction else ""
    hour, minute, second = (int(digits[at : at + 2] or "0") for at in (0, 2, 4))
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("not a time")
    begin = ((hour * 60 + minute) * 60 + second) * 1_000_000 + int(fraction.ljust(6, "0") or "0")
    unit = {2: 3600 * 1_000_000, 4: 60 * 1_000_000, 6: 1_000_000}[len(digits)] if not fraction else 10 ** (6 - len(fraction))
    return begin, begin + unit - 1


def combined(dates: str, times: str) -> PairTest:
    """Matches date and time as one moment (PS3.4 C.2.2.2.5, combined date-time matching): both are ranges.

    Raises:
        MalformedKey: one of them is no range.
    """
    try:
        (first_day, last_day), (first, last) = span_of(dates, date_span), span_of(times, time_span)
    except ValueError:
        raise MalformedKey("date and time: not ranges") from None
    begin = first_day * _DAY + first
    end = min(last_day * _DAY, _FOREVER) + min(last, _DAY - 1)

    def matches(days: Values, clocks: Values) -> bool:
        try:
            day, moment = date_span(days[0])[0], time_span(clocks[0])[0] if clocks else 0
        except (ValueError, IndexError):
            return False
        return begin <= day * _DAY + moment <= end

    return matches


def _digits(text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("not digits")
    return text
