"""The plots of analytics: figures in, marks out. Each has its table beside it on the page."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from triage.domain.analytics import SCORE_BINS, Agreement, ArrivalHour, Compared, ScoreBin
from triage.domain.level import Level
from triage.domain.share import Share
from triage.domain.waiting import Waits
from triage.domain.worklist import span
from triage.web import svg
from triage.web.rows import word
from triage.web.svg import DOTTED, HATCHED, Linear, Logarithmic, Mark, Plot, circle, key, line, polyline, rect, words
from triage.web.text import plain

_MINUTES = (
    (1, "1 min"),
    (5, "5 min"),
    (15, "15 min"),
    (60, "1 h"),
    (240, "4 h"),
    (720, "12 h"),
    (2880, "2 d"),
    (14400, "10 d"),
)
_LEFT, _RIGHT = 46.0, svg.WIDTH - 14.0
FLAGGED, NOT_FLAGGED, NEITHER = ("flagged", "", "flagged"), ("hollow", "", "not flagged"), ("grey", HATCHED, "neither")


def waiting(levels: Mapping[Level, Compared]) -> Plot:
    """For each level a line from the median to the 95th percentile: as it was, and in order of arrival."""
    known = [
        value for one in levels.values() for each in (one.actual, one.by_arrival) for value in (each.median, each.p95) if value
    ]
    longest = max((value / timedelta(minutes=1) for value in known), default=1.0)
    scale = Logarithmic(low=1, top=max(longest * 1.1, 16), start=128, end=_RIGHT - 176)
    bottom = 34.0 + 46 * len(levels)
    marks: list[Mark] = []
    for minutes, label in _MINUTES:
        if minutes <= scale.top:
            x = scale(minutes)
            marks += [line("grid", x, 26, x, bottom), words("label", x, bottom + 16, label, "middle")]
    marks += [
        line("as-read", 8, 11, 40, 11), circle("dot", 8, 11, 5), words("label", 50, 15, "as read"),
        line("by-arrival", 128, 11, 160, 11), circle("ring", 128, 11, 5), words("label", 170, 15, "in order of arrival"),
        words("label", _RIGHT, 15, "median – 95 % within", "end"),
    ]  # fmt: skip
    for place, (level, one) in enumerate(levels.items()):
        y = 46.0 + 46 * place
        marks += [words("name", 0, y + 2, word(level)), words("label", 0, y + 18, f"{one.actual.n} read")]
        marks += _spread("as-read", "dot", scale, y, one.actual) + _spread("by-arrival", "ring", scale, y + 16, one.by_arrival)
    return Plot(
        id="plot-waiting",
        title="Waiting by level",
        description="Median and 95th percentile of the wait of studies read, as they were read and in order of arrival, on a "
        "scale whose steps grow. The table has every figure.",
        height=int(bottom) + 24,
        marks=marks,
    )


def _spread(kind: str, dot: str, scale: Logarithmic, y: float, waits: Waits) -> list[Mark]:
    if waits.median is None:
        return [words("label", _RIGHT, y + 4, "still waiting", "end")] if waits.n else []
    start = scale(waits.median / timedelta(minutes=1))
    if waits.p95 is None:
        label = words("label", _RIGHT, y + 4, f"{span(waits.median)} – still waiting", "end")
        return [line(kind, start, y, scale.end, y), circle(dot, start, y, 5), label]
    end = scale(waits.p95 / timedelta(minutes=1))
    label = words("label", _RIGHT, y + 4, f"{span(waits.median)} – {span(waits.p95)}", "end")
    return [line(kind, start, y, end, y), line(f"{kind} tick", end, y - 5, end, y + 5), circle(dot, start, y, 5), label]


def volume(hours: Sequence[ArrivalHour], days: float) -> Plot:
    """Arrivals by hour of the local day, the mean of a day, stacked."""
    groups: dict[int, list[float]] = {hour: [0.0, 0.0, 0.0] for hour in range(24)}
    for one in hours:
        part = {Level.FLAGGED: 0, Level.NOT_FLAGGED: 1}.get(one.level, 2)
        groups[one.hour][part] += one.n / days
    scale = Linear(top=max(sum(group) for group in groups.values()) * 1.05, start=200, end=34)
    width = (_RIGHT - _LEFT) / 24
    marks = key(_LEFT, 14, (FLAGGED, NOT_FLAGGED, NEITHER)) + _shelves(scale, "{:g}")
    for hour, group in groups.items():
        marks += _stack(scale, _LEFT + width * hour + 2, width - 4, group)
        if hour % 3 == 0:
            marks.append(words("label", _LEFT + width * (hour + 0.5), 216, f"{hour} h", "middle"))
    return Plot(
        id="plot-volume",
        title="Arrivals by hour of the day",
        description="Studies that arrive in each hour of the local day, the mean of a day; flagged below, not flagged above.",
        height=222,
        marks=marks,
    )


def flag_rate(days: Mapping[date, Share], overall: Share, changes: Mapping[date, str]) -> Plot:
    """Each day's share flagged with its interval; a change of model is a dashed line with its name."""
    tops = [one.interval[1] for one in days.values() if one.interval]
    scale = Linear(top=min(1.0, max(tops, default=1.0) * 1.05), start=200, end=34)
    first, last = min(days), max(days)
    step = (_RIGHT - _LEFT - 20) / max(1, (last - first).days)
    at = {day: round(_LEFT + 10 + step * (day - first).days, 1) for day in days}
    marks = _shelves(scale, "{:.0%}")
    for day, model in changes.items():
        end = at[day] > (_LEFT + _RIGHT) / 2
        marks += [line("change", at[day], 22, at[day], 200)]
        marks += [words("label", at[day] + (-5 if end else 5), 30, f"{plain(model, 32)} from here", "end" if end else "start")]
    for day, one in days.items():
        if one.interval:
            marks.append(line("band", at[day], scale(one.interval[0]), at[day], scale(one.interval[1])))
    points = [(at[day], scale(one.value)) for day, one in days.items() if one.value is not None]
    marks += [polyline("as-read", points), *(circle("dot", x, y, 3) for x, y in points)]
    if overall.value is not None:
        marks.append(line("overall", _LEFT, scale(overall.value), _RIGHT, scale(overall.value)))
    marks += [words("label", _LEFT, 216, f"{first:%d %b}"), words("label", _RIGHT, 216, f"{last:%d %b}", "end")]
    return Plot(
        id="plot-rate",
        title="Flag rate by day",
        description="Share flagged of the studies assessed, by the day of arrival, each with its interval of 95 %; the "
        "dashed line across is the period's.",
        height=222,
        marks=marks,
    )


def scores(bins: Sequence[ScoreBin]) -> Plot:
    """How many studies have which probability."""
    groups = [[0.0, 0.0] for _ in range(SCORE_BINS)]
    for one in bins:
        groups[one.bin][one.level is Level.NOT_FLAGGED] += one.n
    scale = Linear(top=max(sum(group) for group in groups) * 1.05, start=200, end=34)
    width = (_RIGHT - _LEFT) / SCORE_BINS
    marks = key(_LEFT, 14, (FLAGGED, NOT_FLAGGED)) + _shelves(scale, "{:g}")
    for place, pair in enumerate(groups):
        marks += _stack(scale, _LEFT + width * place + 1, width - 2, pair)
    marks += [words("label", _LEFT + width * tenth * 2, 216, f"{tenth / 10:.1f}", "middle") for tenth in range(0, 11, 2)]
    return Plot(
        id="plot-scores",
        title="Probabilities",
        description="Studies by the network's calibrated probability of abnormal, in steps of 0.05.",
        height=222,
        marks=marks,
    )


def agreement(table: Mapping[Level, Agreement]) -> Plot:
    """For each word of the network one bar, the whole of its readings."""
    kinds = (
        ("solid", "", "agree"),
        ("grey", HATCHED, "disagree"),
        ("grey", DOTTED, "not assessable"),
        ("hollow", "", "no verdict"),
    )
    marks = key(0, 14, kinds)
    for place, (level, one) in enumerate(table.items()):
        counts = (one.agree, one.disagree, one.not_assessable, one.no_verdict)
        x, y, total = 110.0, 34.0 + 62 * place, sum(counts)
        marks += [words("name", 0, y + 18, word(level)), words("label", 0, y + 34, f"{total} readings")]
        for (kind, fill, _), count in zip(kinds, counts, strict=True):
            width = (_RIGHT - 110) * count / total if total else 0
            marks.append(rect(f"bar {kind}", round(x, 1), y, width, 28, fill))
            if width > 36:
                marks.append(
                    words("label", round(x + width / 2, 1), y + 44, f"{count} ({100 * count / total:.0f} %)", "middle")
                )
            x += width
    return Plot(
        id="plot-agreement",
        title="What readers said of the network's word",
        description="Readings by verdict, for studies flagged and not flagged.",
        height=34 + 62 * len(table),
        marks=marks,
    )


def _shelves(scale: Linear, form: str) -> list[Mark]:
    marks = []
    for tick in scale.ticks():
        y = scale(tick)
        marks += [
            line("grid", _LEFT, y, _RIGHT, y),
            words("label", _LEFT - 6, y + 4, form.format(tick).replace("%", " %"), "end"),
        ]
    return marks


def _stack(scale: Linear, x: float, width: float, group: Sequence[float]) -> list[Mark]:
    """Bars upon each other: flagged, not flagged, neither."""
    marks, below = [], 0.0
    for (kind, fill, _), value in zip((FLAGGED, NOT_FLAGGED, NEITHER), group, strict=False):
        if value:
            top = scale(below + value)
            marks.append(rect(f"bar {kind}", round(x, 1), top, width, scale(below) - top, fill))
            below += value
    return marks
