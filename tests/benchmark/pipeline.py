"""``python -m tests.benchmark.pipeline [--quick]``: how fast a network trains, against the same network fed from memory.

The recipe ``recommended`` on invented films. Rounds of both kinds alternate, so that a busy machine slows both.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from training import recipe
from training.course import Phase
from training.material import Batch, Material
from training.member import Member
from training.recipe import Recipe
from training.run import Run


class FromMemory(Material):
    """The same films, without any work on them."""

    def epoch(self, recipe: Recipe, rng: np.random.Generator) -> Iterator[Batch]:
        size = recipe.schedule.batch
        for start in range(0, len(self.films), size):
            chosen = slice(start, start + size)
            yield self.films[chosen], self.labels[chosen], self.weights[chosen]


def main(quick: bool) -> None:
    """Measure, print Markdown."""
    steps, rounds = (10, 5) if quick else (20, 9)
    path = recipe.find("recommended")
    chosen = recipe.parse(path.read_text(encoding="utf-8"), path.name)
    rng = np.random.default_rng(1)
    count, side = steps * chosen.schedule.batch, chosen.input.height
    films = rng.random((count, side, side, 1), dtype=np.float32)
    labels = (rng.random(count) < 0.5).astype(np.float32)
    parts = (films, labels, np.ones(count, dtype=np.float32))
    member = Member(Run(path.parent, chosen), 1)
    member.enter(Phase("train", Material(*parts), 25, chosen.schedule.learning_rate, steps, 0))
    materials = {"as training does": Material(*parts), "from memory": FromMemory(*parts)}
    wall: dict[str, list[float]] = {name: [] for name in materials}
    work: dict[str, list[float]] = {name: [] for name in materials}
    print(f"load average before: {os.getloadavg()[0]:.2f}; a busy machine makes these figures worthless\n")
    for number in range(rounds + 1):
        for name, material in materials.items():
            began, busy = time.perf_counter(), time.process_time()
            member.train_epoch(material, lambda: None)
            if number:
                wall[name].append((time.perf_counter() - began) / steps)
                work[name].append((time.process_time() - busy) / steps)
    print(f"| {side} × {side}, batches of {chosen.schedule.batch} | median ms a step | CPU ms a step | films/s |")
    print("|---|---|---|---|")
    for name in materials:
        median, busy = statistics.median(wall[name]), statistics.median(work[name])
        print(f"| {name} | {median * 1000:.1f} | {busy * 1000:.1f} | {chosen.schedule.batch / median:.0f} |")
    for what, took in (("wall clock", wall), ("CPU time", work)):
        ratios = [memory / training for training, memory in zip(*took.values(), strict=True)]
        print(f"\nspeed against memory by {what}: {statistics.median(ratios):.3f} (median of {rounds} pairs)")
    print(f"\nload average after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main("--quick" in sys.argv)
