"""A stretch of time that figures are drawn from, and the local clock in it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

LONGEST = timedelta(days=92)
"""A quarter: more would keep a page, and the server with it, busy for seconds."""
_STEP = timedelta(minutes=30)

Offset = Callable[[datetime], timedelta]
"""How far the local clock is ahead of UTC at a moment."""


class PeriodInvalid(ValueError):
    """The period asked for cannot be used; the message says what to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``since`` on, before ``until``; aware, UTC.

    Raises:
        PeriodInvalid: empty, or longer than :data:`LONGEST`.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise PeriodInvalid("the first day has to be before the last one, or the same")
        if self.until - self.since > LONGEST + timedelta(hours=2):  # a day on which clocks are put back is longer
            raise PeriodInvalid(f"at most {LONGEST.days} days at a time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a period in which the local clock is ``offset`` ahead of UTC throughout."""

    since: datetime
    until: datetime
    offset: timedelta


def days(first: str, last: str, midnight: Callable[[date], datetime]) -> Period:
    """The period from the beginning of one day to the end of another (YYYY-MM-DD); ``midnight``: when a day begins here.

    Raises:
        PeriodInvalid: no such days, or no period from them.
    """
    try:
        start, end = (date.fromisoformat(text) for text in (first, last))
    except ValueError as error:
        raise PeriodInvalid("give the first and the last day as YYYY-MM-DD") from error
    if not all(2000 <= day.year < 2100 for day in (start, end)):
        raise PeriodInvalid("give days of this century")
    return Period(since=midnight(start), until=midnight(end + timedelta(days=1)))


def pieces(period: Period, offset: Offset) -> list[Piece]:
    """The period cut where the local clock is put forward or back, which happens at whole or half hours of UTC everywhere."""
    found: list[Piece] = []
    at = period.since
    while at < period.until:
        next_step = at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0) + _STEP
        until, ahead = min(next_step, period.until), offset(at)
        if found and found[-1].offset == ahead:
            found[-1] = Piece(since=found[-1].since, until=until, offset=ahead)
        else:
            found.append(Piece(since=at, until=until, offset=ahead))
        at = until
    return found
