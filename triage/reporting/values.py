"""What a value of a header may be, by value representation (PS3.5 6.2), and what is made of one that may not."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from triage.imaging.elements import clean
from triage.reporting.characters import is_printable

_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?", re.ASCII)
_AGE = re.compile(r"[0-9]{3}[DWMY]", re.ASCII)
_DIGITS = re.compile(r"[0-9]{8}", re.ASCII)


class Rule(NamedTuple):
    """``fits``: whether a text may stand as it is. ``cured``: what is written instead; empty: nothing that could be meant."""

    vr: str
    fits: Callable[[str], bool]
    cured: Callable[[str], str]


def nothing(text: str) -> str:
    """What is made of a value that must not be corrected."""
    return ""


def _is_date(text: str) -> bool:
    try:
        return bool(_DIGITS.fullmatch(text)) and datetime.strptime(text, "%Y%m%d").year > 0
    except ValueError:
        return False


def _is_text(longest: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= longest and "\\" not in text and is_printable(text)


def _is_name(text: str) -> bool:
    groups = text.split("=")
    fits = all(len(group) <= 64 and group.count("^") <= 4 for group in groups)
    return fits and len(groups) <= 3 and "\\" not in text and is_printable(text)


def _cured_name(text: str) -> str:
    groups = (clean(group.replace("\\", " ")) or "" for group in text.split("=")[:3])
    return "=".join("^".join(group.split("^")[:5])[:64].strip() for group in groups).rstrip("=^ ")


def _cured_text(longest: int) -> Callable[[str], str]:
    return lambda text: (clean(text.replace("\\", " ")) or "")[:longest].strip()


def _only(*values: str) -> Rule:
    return Rule("CS", values.__contains__, lambda text: text.strip().upper() if text.strip().upper() in values else "")


def _cured_age(text: str) -> str:
    padded = text.strip().upper().zfill(4)
    return padded if _AGE.fullmatch(padded) else ""


DATE = Rule("DA", _is_date, nothing)
TIME = Rule("TM", lambda text: bool(_TIME.fullmatch(text)), nothing)
AGE = Rule("AS", lambda text: bool(_AGE.fullmatch(text)), _cured_age)
SEX = _only("M", "F", "O")
YES_NO = _only("YES", "NO")
NAME = Rule("PN", _is_name, _cured_name)
TEXT = Rule("LO", _is_text(64), _cured_text(64))
# an identifier that was cut or corrected would be another's: it stands as it is, or it does not stand at all
IDENTIFIER = Rule("LO", _is_text(64), nothing)
SHORT_IDENTIFIER = Rule("SH", _is_text(16), nothing)
