"""A reading list, simulated: studies arrive, one reader takes the first; the order is the service's own. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.domain.instance import Facts
from triage.domain.level import HeadStarts, Level
from triage.domain.study import Study, placed
from triage.domain.worklist import order

Minutes = NDArray[np.float64]

STUDIES, SEED = 20_000, 20171
READING, PREVALENCE = 5.0, 0.30
"""Mean minutes a reading (exponential), share of abnormal studies."""
DAY = 24 * 60.0
START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = HeadStarts()
NOBODY = Facts()


@dataclass(frozen=True, slots=True)
class Scene:
    """How studies arrive: ``load`` is the share of the reader's time that is needed, ``busy`` the share of the studies that
    arrive from 8 to 18 h (10/24 is evenly)."""

    name: str
    load: float
    busy: float


SCENES = (
    Scene("steady: arrivals even over the day, reader busy 90 % of the time", 0.90, 10 / 24),
    Scene("day and night: 80 % of the studies arrive from 8 to 18 h, reader busy 95 %", 0.95, 0.80),
)
GROUPS = ("all abnormal", "abnormal, flagged", "abnormal, missed", "normal")


@dataclass(frozen=True, slots=True)
class Stream:
    """Studies in order of arrival, (n,): minutes of arrival and of reading; whether abnormal; a draw that decides the flag."""

    arrivals: Minutes
    readings: Minutes
    abnormal: NDArray[np.bool_]
    draws: Minutes

    def flagged(self, sensitivity: float, specificity: float) -> NDArray[np.bool_]:
        """Which studies a network with these error rates flags; the same draws for any network."""
        return self.draws < np.where(self.abnormal, sensitivity, 1 - specificity)


def stream(scene: Scene, studies: int, rng: np.random.Generator) -> Stream:
    """Poisson arrivals of the scene's daily shape, exponential readings, independent classes."""
    rate = scene.load / READING
    # an even stream, bent so that the share `busy` of each day falls into 8 to 18 h
    even = np.cumsum(rng.exponential(1 / rate, studies))
    share = np.array([0.0, 8 / 14 * (1 - scene.busy), 8 / 14 * (1 - scene.busy) + scene.busy, 1.0]) * DAY
    days, within = np.divmod(even, DAY)
    arrivals = days * DAY + np.interp(within, share, np.array([0.0, 8 * 60.0, 18 * 60.0, DAY]))
    return Stream(arrivals, rng.exponential(READING, studies), rng.random(studies) < PREVALENCE, rng.random(studies))


def waits(studies: Stream, levels: Sequence[Level], policy: HeadStarts = POLICY) -> Minutes:
    """Minutes from arrival to the start of reading, (n,): one reader who always takes the first of the service's list."""
    arrivals, readings = studies.arrivals.tolist(), studies.readings.tolist()
    waited, unread = np.zeros(len(arrivals)), list[tuple[Any, int]]()
    free, arrived = 0.0, 0
    for _ in arrivals:
        if not unread:
            free = max(free, arrivals[arrived])
        while arrived < len(arrivals) and arrivals[arrived] <= free:
            heappush(unread, (order(_study(arrived, arrivals[arrived], levels[arrived], policy)), arrived))
            arrived += 1
        _, number = heappop(unread)
        waited[number] = free - arrivals[number]
        free += readings[number]
    return waited


@cache
def compare(scene: Scene, sensitivity: float, specificity: float) -> dict[str, dict[str, Minutes]]:
    """Waits by group under ``arrival`` (first come first served: no study is assessed) and ``triage``, of the same studies."""
    run, by_arrival = _first_come(scene)
    flagged = run.flagged(sensitivity, specificity)
    by_level = waits(run, [Level.FLAGGED if flag else Level.NOT_FLAGGED for flag in flagged])
    members = (run.abnormal, run.abnormal & flagged, run.abnormal & ~flagged, ~run.abnormal)
    return {
        name: dict(zip(GROUPS, (found[inside] for inside in members), strict=True))
        for name, found in (("arrival", by_arrival), ("triage", by_level))
    }


@cache
def _first_come(scene: Scene) -> tuple[Stream, Minutes]:
    run = stream(scene, STUDIES, np.random.default_rng(SEED))
    return run, waits(run, [Level.NOT_ASSESSED] * STUDIES)


def _study(number: int, arrival: float, level: Level, policy: HeadStarts) -> Study:
    arrived_at = START + timedelta(minutes=arrival)
    study = Study(
        study_instance_uid=f"1.{number}",
        facts=NOBODY,
        arrived_at=arrived_at,
        images=1,
        network_level=level,
        key=arrived_at,
        head_start=timedelta(0),
    )
    return placed(study, policy)
