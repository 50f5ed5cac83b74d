"""``python -m tests.faults peers [--targets ours,storescp,Orthanc] [--only TEXT] [--seconds 20] [--json FILE]``: F26, F30–F38.

Each attack on a fresh process, while two other peers ask for a C-ECHO every 100 ms: one from another address, one from the
attacker's. Promised of ours: the one from another address is always answered, 99 of 100 within a second; memory below 256 MB
and 1 MB for each association; nothing kept of what was not a film; threads and descriptors back within 15 s; a clean log.
"""

import argparse
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults import targets
from tests.faults.attacks import ATTACKS, BY_TLS, Attack
from tests.faults.targets import NAMES, Held, Target, settled, target
from tests.faults.watch import Seen, Watch

AFTER = 15.0
LEAST = 5.0
ANSWERED_WITHIN = 1.0
MEMORY_MB = 256.0
OTHER, SAME = "127.0.0.2", "127.0.0.1"


@dataclass
class Most:
    """The most that was held at a time."""

    rss_mb: float = 0.0
    threads: int = 0
    descriptors: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attack on one target. ``back``: seconds until threads and descriptors were as before, at most :data:`AFTER`."""

    came: str
    other: Seen = field(repr=False)
    same: Seen = field(repr=False)
    before: Held
    most: Most
    after: Held
    back: float
    kept_bytes: int
    stored: int
    leftovers: int
    stray_lines: int
    alive: bool


@contextmanager
def sampled(one: Target, every: float = 0.2) -> Iterator[Most]:
    """The most that it holds while a block runs."""
    held, over = one.held(), threading.Event()
    most = Most(0.0, held.threads, held.descriptors)

    def sample() -> None:
        while not over.wait(every):
            held = one.held()
            most.rss_mb = max(most.rss_mb, held.rss_mb)
            most.threads = max(most.threads, held.threads)
            most.descriptors = max(most.descriptors, held.descriptors)

    one.forget_peak()
    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()
        most.rss_mb = max(most.rss_mb, one.peak_mb())


def attacked(one: Target, attack: Attack, seconds: float) -> Outcome:
    """Do it, watch, wait, count."""
    before, bytes_before = one.held(), one.kept_bytes()
    other, same = (Watch(one.port, one.ae_title, source, one.files) for source in (OTHER, SAME))
    with sampled(one) as most, other, same:
        try:
            came = _at_least(attack, one, seconds)
        except OSError as error:
            came = str(error) or type(error).__name__
    after, back = settled(one, before, AFTER)
    return Outcome(
        came=came,
        other=other.seen,
        same=same.seen,
        before=before,
        most=most,
        after=after,
        back=back,
        kept_bytes=one.kept_bytes() - bytes_before,
        stored=one.stored(),
        leftovers=one.leftovers(),
        stray_lines=one.tracebacks(),
        alive=one.is_alive(),
    )


def _at_least(attack: Attack, one: Target, seconds: float) -> str:
    """What is over soon is done again and again, so that the others notice if there is anything to be noticed."""
    begun, times, came = time.monotonic(), 0, ""
    while not times or (time.monotonic() - begun < min(LEAST, seconds) and attack.stores == 0):
        came, times = attack.act(one, seconds), times + 1
    return came if times == 1 else f"{came}; {times} times"


def broken(attack: Attack, found: Outcome, answered_within: float = ANSWERED_WITHIN) -> list[str]:
    """Which promises did not hold."""
    bound = MEMORY_MB + attack.associations
    faults = {
        f"it saw: {found.came}": not re.match(attack.sees, found.came),
        f"the other peer: {len(found.other.refused)} refused {found.other.refused[:2]}": found.other.refused,
        f"the other peer: p99 {found.other.p99:.1f} s": found.other.p99 > answered_within,
        f"{found.most.rss_mb:.0f} MB, promised {bound:.0f}": found.most.rss_mb > bound,
        f"threads {found.before.threads} → {found.after.threads}": found.after.threads > found.before.threads,
        f"descriptors {found.before.descriptors} → {found.after.descriptors}": (
            found.after.descriptors > found.before.descriptors
        ),
        f"{found.stored} objects kept, {attack.stores} sent": attack.stores not in (None, found.stored),
        f"{found.kept_bytes} bytes kept": attack.stores == 0 and found.kept_bytes,
        f"{found.leftovers} unfinished files": found.leftovers,
        f"{found.stray_lines} stray lines in the log": found.stray_lines,
        "not alive": not found.alive,
    }
    return [fault for fault, is_one in faults.items() if is_one]


HEADINGS = (
    "attack | what it saw | another address: p50 / p99 ms, refused | its own | peak MB | threads before, most, after | "
    "descriptors | back after s | bytes kept | alive"
)


def row(name: str, found: Outcome) -> str:
    """A line of a target's table."""
    cells = (
        name,
        found.came,
        _seen(found.other),
        _seen(found.same),
        f"{found.most.rss_mb:.0f}",
        f"{found.before.threads} {found.most.threads} {found.after.threads}",
        f"{found.before.descriptors} {found.most.descriptors} {found.after.descriptors}",
        f"{found.back:.1f}" if found.back <= AFTER else f"> {AFTER:.0f}",
        f"{found.kept_bytes:,}",
        "yes" if found.alive else "**no**",
    )
    return f"| {' | '.join(cells)} |"


def short(found: Outcome) -> str:
    """A cell of the table of all targets."""
    refused = f", {len(found.other.refused)} refused" if found.other.refused else ""
    kept = f", keeps {found.kept_bytes / 1e6:.0f} MB" if found.kept_bytes > 1e6 else ""
    alive = "" if found.alive else "; **does not answer**"
    return f"{_ms(found.other.p99)} ms{refused}; {found.most.rss_mb:.0f} MB{kept}{alive}"


def run(arguments: list[str]) -> int:
    """Attack, count, print Markdown; 1 if ours did not do as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults peers")
    parser.add_argument("--targets", default=",".join((*NAMES, targets.BY_TLS)))
    parser.add_argument("--only", default="", help="only attacks with this in their name or id")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long an attack may hold on")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args(arguments)
    found: dict[str, dict[str, Outcome]] = {}
    wrong = []
    for of in options.targets.split(","):
        print(f"\n### {of}\n\n| {HEADINGS} |\n|{'---|' * 10}", flush=True)
        for name, attack in (BY_TLS if of == targets.BY_TLS else ATTACKS).items():
            if options.only not in f"{name} {attack.id}":
                continue
            with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder, target(of, Path(folder)) as one:
                found.setdefault(name, {})[of] = outcome = attacked(one, attack, options.seconds)
            print(row(name, outcome), flush=True)
            wrong += [f"{name}: {fault}" for fault in broken(attack, outcome)] if of.startswith("ours") else []
    _side_by_side(found)
    if options.json:
        figures = {name: {of: asdict(one) for of, one in outcomes.items()} for name, outcomes in found.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"\nours, not as promised: {len(wrong)}", *wrong, sep="\n- ")
    return int(bool(wrong))


def _side_by_side(found: dict[str, dict[str, Outcome]]) -> None:
    names = list(dict.fromkeys(of for outcomes in found.values() for of in outcomes))
    print("\nAnother peer's C-ECHO (p99), and the most memory of all its processes:\n")
    print(f"| attack | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}")
    for name, outcomes in found.items():
        print(f"| {name} | {' | '.join(short(outcomes[of]) if of in outcomes else '' for of in names)} |", flush=True)


def _seen(seen: Seen) -> str:
    return f"{_ms(seen.p50)} / {_ms(seen.p99)}, {len(seen.refused)} of {len(seen.took) + len(seen.refused)}"


def _ms(seconds: float) -> str:
    return "–" if seconds == float("inf") else f"{1000 * seconds:.0f}"
