"""A training under way: what it tells (event log, screen, bar, expected time) and what it heeds (stop signal, clock)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from rich.progress import Progress

from training import estimate
from training.interrupt import Stop
from training.material import Floats, Material
from training.recipe import Augment
from training.run import Run

PRETRAIN, TRAIN = "pretrain", "train"
"""Names of the first and the last phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a training takes from the world, and whom it tells: ``say`` a sentence, ``epoch`` what each came to."""

    stop: Stop
    now: Callable[[], datetime]
    clock: Callable[[], float]
    free: Callable[[Path], int]
    say: Callable[[str], None]
    epoch: Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Phase:
    """One pass of the schedule over one material, for each network; ``val``: how many films judge each epoch.

    ``augment``: in place of the recipe's. ``asked``: films of which the network is asked for its opinion when it is over.
    """

    name: str
    material: Material
    epochs: int
    learning_rate: float
    steps: int
    val: int
    augment: Augment | None = None
    asked: Floats | None = None

    @property
    def length(self) -> float:
        """An epoch with its look at val, in steps: a film costs a third where nothing is learned from it."""
        return self.steps * (1 + self.val / len(self.material.films) / 3)


class Course:
    """Knows how far all networks have come; one step after the other."""

    def __init__(
        self, run: Run, phases: Sequence[Sequence[Phase]], outside: Outside, bar: Progress, budget: float | None = None
    ) -> None:
        """``phases``: what each network goes through, in the order of the seeds."""
        self.clock = outside.clock
        self._run, self._phases, self._outside, self._bar = run, phases, outside, bar
        self._total = sum(phase.epochs * phase.steps for network in phases for phase in network)
        self._task = bar.add_task("", total=self._total)
        self._done = 0
        self._budget = budget
        self._pace: estimate.Pace | None = None

    def log(self, event: str, **facts: Any) -> None:
        """One line of ``events.jsonl``."""
        log(self._run, self._outside, event, **facts)

    def at(self, network: int, phase: Phase, epoch: int) -> None:
        """So many epochs of this phase are done for this network; ``network`` counts from 0."""
        own = self._phases[network]
        before = [*chain.from_iterable(self._phases[:network]), *own[: own.index(phase)]]
        self._done = sum(one.epochs * one.steps for one in before) + epoch * phase.steps
        seed = self._run.recipe.schedule.seeds[network]
        self._bar.update(self._task, completed=self._done, description=f"seed {seed} {phase.name}")
        if self._pace is None:
            self._pace = estimate.Pace(self.clock, self._expect, phase.steps)

    def step(self) -> None:
        """One more step is done.

        Raises:
            Interrupted: someone asked to stop.
        """
        self._bar.advance(self._task)
        if self._pace:
            self._pace.step()
        self._outside.stop.check()

    def epoch(self, phase: Phase, line: dict[str, Any]) -> None:
        """An epoch is done and its checkpoint written."""
        self.log("checkpoint", phase=phase.name, **line)
        self._outside.epoch(line)

    def _expect(self, second_a_step: float) -> None:
        networks = Counter(tuple((phase.epochs, phase.length * second_a_step) for phase in network) for network in self._phases)
        budget = f"; ends after {estimate.duration(self._budget)}, the time budget" if self._budget is not None else ""
        self._outside.say(estimate.expected(networks, self._done / self._total) + budget)


def log(run: Run, outside: Outside, event: str, **facts: Any) -> None:
    """One line of ``events.jsonl``: time, event, what else there is to say."""
    run.append("events.jsonl", {"time": outside.now().isoformat(), "event": event, **facts})
