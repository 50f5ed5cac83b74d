"""``python -m tests.benchmark [--quick]``: prints the tables of docs/performance.md; ``list``: those of the reading list;
``receive``: those of receiving; ``pixels``: those of the pixels; ``sandbox``: what a child for each film costs;
``upkeep``: what starts, comparisons and scrubs cost; ``deliver``: how fast results reach a PACS; ``query``: what queries of
a long list cost; ``region``: what several workers on several hosts bring;
``writers``: write transactions a second on both databases;
``drift``: how soon a change is noticed; ``backup``: how long films wait for their answer while one is made;
``move``: a site moved to PostgreSQL, and how it finds things there; ``plans``: the latter alone.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmark import (
    assess,
    backup,
    deliver,
    drift,
    films,
    move,
    pixels,
    plans,
    query,
    receive,
    region,
    sandbox,
    storage,
    upkeep,
    worklist,
    writers,
)

SIZES = {"2 MB": 1024, "15 MB": 2750}


def main(quick: bool) -> None:
    """Make films, measure, print Markdown."""
    count = 8 if quick else 40
    receive.main(["--rounds", "1", "--films", "0.1"] if quick else [])
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary:
        folder = Path(temporary)
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
    elif "receive" in sys.argv:
        receive.main(sys.argv[sys.argv.index("receive") + 1 :])
    elif "pixels" in sys.argv:
        pixels.main("--quick" in sys.argv)
    elif "sandbox" in sys.argv:
        sandbox.main(20 if "--quick" in sys.argv else 100)
    elif "deliver" in sys.argv:
        deliver.main("--quick" in sys.argv)
    elif "upkeep" in sys.argv:
        upkeep.main(*[5_000] if "--quick" in sys.argv else [])
    elif "backup" in sys.argv:
        backup.main(*[3_000] if "--quick" in sys.argv else [])
    elif "region" in sys.argv:
        region.main(100 if "--quick" in sys.argv else 1000)
    elif "writers" in sys.argv:
        writers.main(2.0 if "--quick" in sys.argv else 5.0)
    elif "move" in sys.argv:
        move.main(5_000 if "--quick" in sys.argv else 200_000)
    elif "drift" in sys.argv:
        drift.main(*[2, 1] if "--quick" in sys.argv else [])
    elif "plans" in sys.argv:
        sys.exit(plans.main(5_000 if "--quick" in sys.argv else 200_000))
    elif "storage" in sys.argv:
        storage.main(20 if "--quick" in sys.argv else 100)
    elif "query" in sys.argv:
        query.main(*[5_000] if "--quick" in sys.argv else [])
    else:
        main("--quick" in sys.argv)
