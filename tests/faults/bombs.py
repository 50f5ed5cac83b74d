"""B07–B13 and drawn objects: each in a child with bounded memory; how long it took, and how much memory at most."""

import time

from hypothesis import HealthCheck, Phase, given, settings

from tests.faults import objects
from tests.faults.generated import hostile_objects
from tests.faults.path import Path

ADDRESS_SPACE = 4 << 30


def costly() -> tuple[list[str], int]:
    """Rows of a table, and how many went wrong."""
    rows, wrong = [], 0
    for name, (make, reasons) in objects.COSTLY.items():
        data = make()
        path = Path(ADDRESS_SPACE)
        path.damaged(objects.native())
        before = path.peak()
        started = time.monotonic()
        outcome = path.damaged(data)
        seconds = time.monotonic() - started
        wrong += outcome.reason not in reasons
        rows.append(
            f"| {name} | {len(data):,} | {outcome.reason or outcome.probability} | {seconds:.1f} | {path.peak() - before:.0f} |"
        )
        path.close()
    return rows, wrong


def others() -> tuple[int, int]:
    """How many objects, how many of them not as stated."""
    path = Path(ADDRESS_SPACE)
    wrong = sum(path.damaged(make()).reason not in reasons for make, reasons in objects.CHEAP.values())
    cut = [path.damaged(data) for data in objects.truncated()]
    wrong += sum(outcome.probability is not None for outcome in cut)
    path.close()
    return len(objects.CHEAP) + len(cut), wrong


def drawn(count: int) -> tuple[int, int]:
    """How many objects hypothesis drew, how many of them killed the child, took too long, or raised."""
    path, seen = Path(ADDRESS_SPACE), []

    @settings(
        deadline=None, max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        derandomize=True,
    )  # fmt: skip
    @given(hostile_objects())
    def look(data: bytes) -> None:
        seen.append(path.damaged(data))

    look()
    path.close()
    return len(seen), sum(
        outcome.reason is not None and outcome.reason.startswith(("killed", "timed", "raised")) for outcome in seen
    )
