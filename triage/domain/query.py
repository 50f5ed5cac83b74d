"""A query as it was understood: of which level, what has to match, and what the database can leave out beforehand.

An attribute has values by keyword; an entity (patient, study, series, image) matches when every key does.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from triage.domain.instance import Instance
from triage.domain.matching import MalformedKey, Matcher, PairTest, combined, date_span, matcher, span_of
from triage.domain.query_keys import EVERYWHERE, KEYS, UNIQUE, QueryLevel
from triage.domain.study import Study

Attributes = Mapping[str, tuple[str, ...]]

MOST_KEYS = 512
"""Keys of one query: all that there are, several times over."""
_RANGES = (("StudyDate", "StudyTime"), ("SeriesDate", "SeriesTime"), ("ContentDate", "ContentTime"))


@dataclass(frozen=True, slots=True)
class Film:
    """A received film and what its header told; ``None``: the header is to be read yet."""

    instance: Instance
    attributes: Attributes | None


@dataclass(frozen=True, slots=True)
class Found:
    """A study with all of its films, first received first."""

    study: Study
    films: tuple[Film, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coarse:
    """What an index can sort out; empty or ``None``: nothing. More studies than match may be left, never fewer.

    ``days``: numbers of the first and last day (:func:`triage.domain.matching.date_span`).
    """

    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    patient_ids: tuple[str, ...] = ()
    accession_numbers: tuple[str, ...] = ()
    days: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked. ``tests``: by keyword, of the level and those above it; ``pairs``: of date and time together;
    ``ignored``: keys that mean nothing here."""

    level: QueryLevel
    coarse: Coarse
    tests: Mapping[str, Matcher]
    pairs: tuple[tuple[str, str, PairTest], ...] = ()
    ignored: tuple[str, ...] = field(default=())

    def matches(self, attributes: Attributes, level: QueryLevel, settled: Collection[str] | None = None) -> bool:
        """Whether the keys of one level match what that level's entity has.

        ``settled``: what is told now and stays so, where a header is to be read yet; anything else might match then, and nobody
        is left out for it. ``None``: everything.
        """

        def might(*names: str) -> bool:
            return settled is not None and not all(name in settled for name in names)

        mine = ((keyword, test) for keyword, test in self.tests.items() if KEYS[keyword].level is level)
        pairs = ((days, clocks, test) for days, clocks, test in self.pairs if KEYS[days].level is level)
        return all(might(name) or test(attributes.get(name, ())) for name, test in mine) and all(
            might(days, clocks) or test(attributes.get(days, ()), attributes.get(clocks, ())) for days, clocks, test in pairs
        )


def understood(level: QueryLevel, keys: Mapping[str, str], *, combine: bool = False) -> Query:
    """A query from its keys: keyword → value as DICOM writes it, empty for any (PS3.4 C.2.2.2).

    Keys that are not known or belong below ``level`` are ignored and named. ``combine``: a date range and a time range are one
    range of moments (combined date-time matching).

    Raises:
        MalformedKey: a value that cannot be one of its representation, or too much of everything.
    """
    if len(keys) > MOST_KEYS:
        raise MalformedKey("more keys than there are")
    mine = {name: value for name, value in keys.items() if name in KEYS and KEYS[name].level.depth <= level.depth}
    made = {name: matcher(name, KEYS[name].vr, value) for name, value in mine.items()}
    tests = {name: test for name, test in made.items() if test is not None}
    pairs = list[tuple[str, str, PairTest]]()
    for days, clocks in _RANGES if combine else ():
        if days in tests and clocks in tests and "-" in mine[days] and "-" in mine[clocks]:
            pairs.append((days, clocks, combined(mine[days].strip(), mine[clocks].strip())))
            del tests[clocks]
    ignored = tuple(name for name in keys if name not in mine and name not in EVERYWHERE)
    return Query(level=level, coarse=_coarse(mine, tests), tests=tests, pairs=tuple(pairs), ignored=ignored)


def _coarse(keys: Mapping[str, str], tests: Mapping[str, Matcher]) -> Coarse:
    def exact(keyword: str) -> tuple[str, ...]:
        wanted = _values(keys[keyword]) if keyword in tests else ()
        return () if KEYS[keyword].vr != "UI" and any(set("*?") & set(one) for one in wanted) else wanted

    return Coarse(
        studies=exact(UNIQUE[QueryLevel.STUDY]),
        series=exact(UNIQUE[QueryLevel.SERIES]),
        instances=exact(UNIQUE[QueryLevel.IMAGE]),
        patient_ids=exact("PatientID"),
        accession_numbers=exact("AccessionNumber"),
        days=_days(_values(keys["StudyDate"])) if "StudyDate" in tests else None,
    )


def _days(wanted: Sequence[str]) -> tuple[int, int]:
    spans = [span_of(one, date_span) for one in wanted]
    return min(first for first, _ in spans), max(last for _, last in spans)


def _values(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for value in text.split("\\") if (one := value.strip(" \0"))))


def by_series(films: Sequence[Film]) -> Iterator[tuple[str, list[Film]]]:
    """Series by UID with their films, in the order in which their first films came."""
    series: dict[str, list[Film]] = {}
    for film in films:
        series.setdefault(film.instance.series_instance_uid, []).append(film)
    yield from series.items()
