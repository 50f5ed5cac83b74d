"""``python -m tests.benchmark [--quick]``: prints the tables of docs/performance.md; ``list``: those of the reading list;
``pixels``: those of the pixels; ``sandbox``: what a child for each film costs; ``upkeep``: what
starts, comparisons and scrubs cost.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmark import assess, films, pixels, receive, sandbox, upkeep, worklist

SIZES = {"2 MB": 1024, "15 MB": 2750}


def main(quick: bool) -> None:
    """Make films, measure, print Markdown."""
    rounds, count = (1, 8) if quick else (5, 40)
    print(f"load average before: {os.getloadavg()[0]:.2f}; a busy machine makes these figures worthless\n")
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        folder = Path(temporary)
        for size, side in SIZES.items():
            made = films.make(folder / f"films-{side}", count, side)
            for associations in (1, 4):
                print(f"\n{size} raw, {associations} association(s), {count} films, {rounds} rounds, medians\n")
                print("| receiver | films/s | receiver CPU ms/film | ours is … times as fast |\n|---|---|---|---|")
                results = receive.measure(folder / "receive", made, associations, rounds)
                for name, measured in results.items():
                    print(receive.row(name, measured, results["triage"]), flush=True)
        print("\n| film, one at a time | films | p50 ms | p95 ms |\n|---|---|---|---|")
        for size, side in SIZES.items():
            made = films.make(folder / f"assess-{side}", count, side)
            print(
                assess.line(f"{size} raw: response → assessed row", assess.measure(folder / f"home-{side}", made)), flush=True
            )
    print(f"\nload average after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    if "list" in sys.argv:
        worklist.main(sys.argv)
    elif "pixels" in sys.argv:
        pixels.main("--quick" in sys.argv)
    elif "sandbox" in sys.argv:
        sandbox.main(20 if "--quick" in sys.argv else 100)
    elif "upkeep" in sys.argv:
        upkeep.main(*[5_000] if "--quick" in sys.argv else [])
    else:
        main("--quick" in sys.argv)
