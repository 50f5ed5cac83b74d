"""``python -m tests.faults [--each 200] [--only TEXT] [--json FILE]``: damaged films through the whole path; exit 1 if any is
scored as *not flagged* that is flagged when whole, or kills or raises."""

import argparse
import json
import sys
from pathlib import Path as File

from tests.faults import films, mutants
from tests.faults.path import Path


def main() -> int:
    """Damage, assess, count, print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--each", type=int, default=200, help="damaged streams of each transfer syntax, at least")
    parser.add_argument("--only", default="", help="only transfer syntaxes with this in their name")
    parser.add_argument("--json", type=File, help="write the figures here as well")
    options = parser.parse_args()
    path = Path()
    names = mutants.chosen(path)
    print(f"films: {', '.join(names)}; seed {mutants.SEED}\n\n| {mutants.HEADINGS} |\n|{'---|' * 11}", flush=True)
    tallies = {}
    for name, syntax in films.SYNTAXES.items():
        if options.only in name:
            tallies[name] = mutants.of_syntax(path, syntax, names, options.each)
            print(mutants.row(name, tallies[name]), flush=True)
    path.close()
    if options.json:
        figures = {name: tally.as_dict() for name, tally in tallies.items()}
        options.json.write_text(json.dumps({"films": names, "syntaxes": figures}, indent=2) + "\n", encoding="utf-8")
    return int(any(tally.lethal or tally.wrong for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
