"""Orders of arrival, many during inference: the result covers the final set and is that of the set (H4).

``make soak`` tries the 500 of the catalogue of faults, ``ORDERS=… pytest …`` as many as are wanted.
"""

import os

import pytest

from tests.size import size
from tests.unit.services.arrivals import Course
from tests.unit.services.sabotage import SABOTAGED

ORDERS = int(os.environ.get("ORDERS", size("60", "500")))
TRIED = 80
"""Orders within which each sabotage must be caught."""


def test_the_result_is_that_of_the_final_set_whatever_the_order() -> None:
    resting = flagged = 0
    for seed in range(ORDERS):
        course = Course(seed).run()
        assert course.wrong() == [], f"seed {seed}: {course.kinds}"
        resting += bool(course.resting)
        flagged += course.flagged
    print(f"arrivals: {ORDERS} orders, {flagged} flagged, {resting} not flagged at some time, 0 wrong")
    assert min(resting, flagged) > ORDERS / 20, "the orders must reach every end"


@pytest.mark.parametrize("name", SABOTAGED)
def test_a_rule_that_is_wrong_on_purpose_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SABOTAGED[name](monkeypatch)

    def caught(seed: int) -> bool:
        try:
            return Course(seed).run().wrong() != []
        except (AssertionError, LookupError):
            return True

    assert any(caught(seed) for seed in range(TRIED))
