"""The groups of films that are reported one by one: a table of attributes, and the findings. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from training.manifest import UNKNOWN_AGE, Film
from training.statistics import Mask

AGES = (16, 40, 65)
BANDS = ("age < 16", "age 16–39", "age 40–64", "age ≥ 65")
ENOUGH_FINDINGS = 10
"""A finding is reported when at least so many films have it."""
ATTRIBUTES: dict[str, Callable[[Film], str]] = {
    "view": lambda film: film.view or "view unknown",
    "sex": lambda film: film.sex or "sex unknown",
    "age": lambda film: "age unknown" if film.age == UNKNOWN_AGE else BANDS[bisect_right(AGES, film.age)],
    "pool": lambda film: f"pool {film.pool}" if film.pool else "pool unknown",
    "label source": lambda film: "seen by a radiologist" if film.radiologist_label else "report only",
}


def groups(films: Sequence[Film]) -> Iterator[tuple[str, Mask]]:
    """Name and members of each group: all, then by each attribute in which the films differ; pools also left out one by one.

    A figure over all pools may rest on a shortcut that one of them carries; "not pool X" says what is left without it.
    """
    yield "all", np.ones(len(films), dtype=bool)
    for attribute, key in ATTRIBUTES.items():
        values = np.array([key(film) for film in films])
        names = sorted(set(values), key=_place)
        if len(names) < 2:
            continue
        yield from ((str(name), values == name) for name in names)
        if attribute == "pool":
            yield from ((f"not {name}", values != name) for name in names)


def findings(films: Sequence[Film]) -> Iterator[tuple[str, Mask]]:
    """Name and members of each finding with at least :data:`ENOUGH_FINDINGS` films; the report's words (of a report that calls
    a film normal, they are none)."""
    own = [set(filter(None, film.findings.split("|"))) if film.text_label == "abnormal" else set() for film in films]
    counts = Counter(finding for found in own for finding in found)
    for finding in sorted(finding for finding, count in counts.items() if count >= ENOUGH_FINDINGS):
        yield finding, np.array([finding in found for found in own])


def _place(name: str) -> tuple[int, str]:
    """PA before AP, ages upwards, the rest by the alphabet."""
    order = ("PA", "AP", *BANDS)
    return (order.index(name) if name in order else len(order), name)
