"""Times as HL7 writes them: TS, YYYYMMDDHHMMSS[.S[S[S[S]]]][+/-ZZZZ] (v2.5.1 2.A.77)."""

import re
from datetime import UTC, datetime, timedelta, timezone

_TS = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,4})\d*)?([+-]\d{4})?", re.ASCII)


def ts(moment: datetime) -> str:
    """An aware time with its zone, to a tenth of a millisecond: what HL7 has."""
    moment = moment.astimezone(UTC)
    return f"{moment.year:04}{moment:%m%d%H%M%S}.{moment.microsecond // 100:04}+0000"


def parse_ts(text: str) -> datetime | None:
    """An aware time, UTC; where the sender says no zone, as if it were UTC. ``None``: it is none."""
    found = _TS.fullmatch(text.strip())
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    year, month, day, *clock = (int(part) if part else None for part in parts)
    try:
        offset = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:])) if zone else timedelta(0)
        second = int((fraction or "0").ljust(6, "0"))
        hour, minute, whole = (part or 0 for part in clock)
        return datetime(year or 0, month or 1, day or 1, hour, minute, whole, second, timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
