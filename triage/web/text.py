"""Header values as a person reads them. They are hostile text: cut, without control characters; the template escapes them."""

import re
import unicodedata
from datetime import date, datetime

from triage.domain.instance import Facts

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that could turn the writing direction, hide text or break the encoding of the page."""
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_AGE_UNITS = {"D": "d", "W": "wk", "M": "mo", "Y": "y"}
_SEX = {"M": "M", "F": "F", "O": "other"}


def plain(value: str | None, limit: int = 64) -> str:
    """``value`` on one line, at most ``limit`` characters, every invisible character replaced; absent: empty."""
    line = " ".join((value or "")[: 4 * limit].split())
    line = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in _INVISIBLE else one for one in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def lines(value: str | None, limit: int) -> str:
    """``value`` with its own lines, each as :func:`plain` writes it; empty lines are left out."""
    return "\n".join(filter(None, (plain(line, limit) for line in (value or "")[:limit].splitlines())))


def plain_lines(text: str) -> str:
    """A text of several lines, its line ends kept, every other invisible character replaced."""
    shown = (one if one == "\n" or unicodedata.category(one) not in _INVISIBLE else "\N{REPLACEMENT CHARACTER}" for one in text)
    return "".join(shown)


def person(name: str | None) -> str:
    """A PN (PS3.5 6.2.1) as *Family, Given Middle*, the ideographic group in brackets."""
    groups = [_group(group) for group in (name or "").split("=")[:2]]
    alphabetic, ideographic = (*groups, "")[:2]
    shown = f"{alphabetic} ({ideographic})" if alphabetic and ideographic else alphabetic or ideographic
    return plain(shown)


def _group(group: str) -> str:
    family, *given = [part.strip() for part in group.split("^")[:3]]
    return ", ".join(filter(None, (family, " ".join(filter(None, given)))))


def age_and_sex(facts: Facts, on: date) -> str:
    """``57 y, F``; what is absent or no age is left out. PatientAge (PS3.5 AS) goes before the birth date."""
    return ", ".join(filter(None, (_age(facts, on), _SEX.get(plain(facts.patient_sex).upper(), ""))))


def _age(facts: Facts, on: date) -> str:
    stated = _AGE.fullmatch((facts.patient_age or "").strip())
    if stated:
        return f"{int(stated[1])} {_AGE_UNITS[stated[2]]}"
    try:
        born = datetime.strptime((facts.patient_birth_date or "").strip(), "%Y%m%d").date()
    except ValueError:
        return ""
    months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
    if months < 0:
        return ""
    return f"{months // 12} y" if months >= 24 else f"{months} mo"


def clock_time(moment: datetime, now: datetime) -> str:
    """Local time of day, with the date when it is not today's: ``16:45``, ``22 Nov 16:45``."""
    local = moment.astimezone()
    return local.strftime("%H:%M" if local.date() == now.astimezone().date() else "%d %b %H:%M")


def full_time(moment: datetime) -> str:
    """Local date, time and zone: ``2026-11-23 16:45:12 CET (+0100)``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z (%z)")
