"""The cheap tier of ``make faults ARGS=deliveries``: killed around the answer, on real processes and a real receiver."""

import pytest

from tests.faults.deliveries import killed_at_step


@pytest.mark.parametrize("step", ["claimed", "sent"])
def test_a_kill_loses_nothing_and_doubles_nothing(step: str) -> None:
    lost, doubled, open_, heard = killed_at_step(step)
    print(f"killed behind {step}: {heard} messages heard, lost {lost}, duplicates {doubled}")
    assert (lost, doubled, open_) == (0, 0, 0)
    assert heard == (4 if step == "sent" else 3)
