"""What moves objects is killed at some of its system calls; ``python -m tests.faults reconcile`` does it at every one (F14)."""

import random
from pathlib import Path

import pytest

from tests.faults.reconcile import sweep

FEW = {"reconcile": 1, "release of a film that replaces": 1}
"""Steps that are killed here, and at how many points."""


@pytest.mark.parametrize("step", FEW)
def test_a_kill_leaves_nothing_that_the_next_start_does_not_mend(tmp_path: Path, step: str) -> None:
    found = sweep(step, tmp_path, random.Random(14), only=FEW[step])
    assert (found.diverged, found.lost) == ([], 0)
    assert found.killed >= found.points == FEW[step]
