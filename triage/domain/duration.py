"""Durations as settings write them: seconds, or a number with a unit."""

from datetime import timedelta

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> timedelta | None:
    """``24 h``, ``30 d``, ``15 min``, ``90``; ``None``: it is none. Larger than a duration can be: half the greatest."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text[len(number) :].strip() or "s"
    if unit not in UNITS or not number.strip().replace(".", "", 1).isdecimal() or not number.isascii():
        return None
    return timedelta(seconds=min(float(number) * UNITS[unit], timedelta.max.total_seconds() / 2))


def duration_text(duration: timedelta) -> str:
    """The shortest such text that gives the duration again; parts of a second are dropped."""
    seconds = int(duration.total_seconds())
    if not seconds:
        return "0 h"
    unit = next(unit for unit, size in reversed(UNITS.items()) if seconds % size == 0)
    days = unit == "d" and seconds <= 2 * UNITS["d"]
    return f"{seconds // UNITS['h']} h" if days else f"{seconds // UNITS[unit]} {unit}"
