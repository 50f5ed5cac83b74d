"""``python -m tests.faults films [--each 200] [--only TEXT] [--drawn 2000] [--json FILE]``: damaged films and objects that lie.

Through the whole path. Exit 1 if any is *not flagged* that is flagged when whole, has another outcome than stated, or if a
decoder kills or raises.
"""

import argparse
import json
from pathlib import Path as File
from typing import Any

from tests.faults import bombs, films, mutants
from tests.faults.path import Path


def objects_and_bombs(count: int) -> int:
    """Print what came of objects that lie about themselves; how many were not as stated."""
    rows, wrong = bombs.costly()
    print("\n| object | bytes | outcome | s | MiB more |\n|---|---|---|---|---|", *rows, sep="\n")
    for name, (tried, failed) in {"others that lie": bombs.others(), "drawn": bombs.drawn(count)}.items():
        print(f"\n{name}: {tried}, not as stated: {failed}", flush=True)
        wrong += failed
    return wrong


def _plain(value: Any) -> Any:
    """With text for keys, as JSON has it."""
    if isinstance(value, dict):
        return {" ".join(map(str, key)) if isinstance(key, tuple) else key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def run(arguments: list[str]) -> int:
    """Damage, assess, count, print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults films")
    parser.add_argument("--each", type=int, default=200, help="damaged streams of each transfer syntax, at least")
    parser.add_argument("--only", default="", help="only transfer syntaxes with this in their name")
    parser.add_argument("--drawn", type=int, default=2000, help="objects that hypothesis draws")
    parser.add_argument("--json", type=File, help="write the figures here as well")
    options = parser.parse_args(arguments)
    path = Path()
    names = mutants.chosen(path)
    print(f"films: {', '.join(names)}; seed {mutants.SEED}\n\n| {mutants.HEADINGS} |\n|{'---|' * 11}", flush=True)
    tallies = {}
    for name, syntax in films.SYNTAXES.items():
        if options.only in name:
            tallies[name] = mutants.of_syntax(path, syntax, names, options.each)
            print(mutants.row(name, tallies[name]), flush=True)
    path.close()
    wrong = 0 if options.only else objects_and_bombs(options.drawn)
    if options.json:
        figures = {name: tally.as_dict() for name, tally in tallies.items()}
        options.json.write_text(json.dumps({"films": names, "syntaxes": _plain(figures)}, indent=2) + "\n", encoding="utf-8")
    return int(bool(wrong) or any(tally.lethal or tally.wrong for tally in tallies.values()))
