"""What moves objects is killed at some of its system calls; ``python -m tests.faults reconcile`` does it at every one (F14)."""

import random
from pathlib import Path

import pytest

from tests.faults.reconcile import STEPS, sweep

FEW = 2


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_nothing_that_the_next_start_does_not_mend(tmp_path: Path, step: str) -> None:
    found = sweep(step, tmp_path, random.Random(14), only=FEW)
    assert (found.diverged, found.lost) == ([], 0)
    assert found.killed >= found.points
