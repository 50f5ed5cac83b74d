"""``python -m tests.faults pdus [--mutants 20000] [--targets ours,storescp,Orthanc] [--cases]``: B02, B03, B04.

PDUs and command sets that are wrong in one respect each, then damaged sessions. Promised of ours: an answer or the end of the
connection within 5 s (12 s where more is claimed than comes), nothing unfinished left, nothing acknowledged that is not there,
no traceback, memory and threads as before.
"""

import argparse
import socket
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import wire
from tests.faults.pdu_cases import Case, command_cases, pdu_cases
from tests.faults.pdu_mutants import mutant
from tests.faults.targets import NAMES, Target, settled, target
from tests.faults.wire import Peer, counted

WITHIN = 5.0
WAITING_WITHIN = 12.0
"""A PDU has a deadline of 10 s."""
AT_ONCE = 8
GROWTH_MB = 32.0


def came(one: Target, case: Case) -> str:
    """What came of a case; of one that is only ignored, what came of a C-ECHO behind it."""
    with Peer(one.port, seconds=WITHIN) as peer:
        if case.associated and (found := peer.associate(called=one.ae_title)) != "accept":
            return f"no association: {found}"
        peer.send(case.content.replace(b"TRIAGE".ljust(16), one.ae_title.encode().ljust(16)))
        found = peer.hear(WAITING_WITHIN if case.waits else WITHIN)
        if found == "silence" and case.associated and not case.waits:
            return f"silence, then C-ECHO: {peer.echo()}"
        return found


def all_of(one: Target, cases: Iterable[Case]) -> dict[str, str]:
    """Case → what came of it."""
    chosen = list(cases)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip([case.name for case in chosen], pool.map(lambda case: came(one, case), chosen), strict=True))


def is_answer(found: str) -> bool:
    """Whether the other side said something, hung up, or ignored it and went on."""
    return "silence" not in found or found == "silence, then C-ECHO: status 0000"


@dataclass
class Mutants:
    """What came of mutants. ``acknowledged``: SOP Instance UIDs of which a C-STORE-RSP said 0000."""

    came: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    seconds: float = 0.0


def mutants(one: Target, count: int) -> Mutants:
    """Send them, eight at a time; each ends with its sender's half of the connection closed."""
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda number: _sent(one, number), range(count)))
    found = Mutants(seconds=time.monotonic() - begun)
    for words, acknowledged in answers:
        found.came.append(words)
        found.acknowledged |= acknowledged
    return found


def _sent(one: Target, number: int) -> tuple[str, set[str]]:
    damaged = mutant(number)
    with Peer(one.port, seconds=WITHIN) as peer:
        peer.send(damaged.request.replace(b"TRIAGE".ljust(16), one.ae_title.encode().ljust(16)))
        if damaged.rest:
            if (found := peer.hear()) != "accept":
                return f"whole request: {found}", set()
            peer.send(damaged.rest)
        with suppress(OSError):
            peer.socket.shutdown(socket.SHUT_WR)
        return _until_the_end(peer)


def _until_the_end(peer: Peer) -> tuple[str, set[str]]:
    """The most telling word of what came until the other side hung up, and what it acknowledged."""
    words, acknowledged, deadline = [], set(), time.monotonic() + WITHIN
    while True:
        kind, content = peer.receive(max(0.01, deadline - time.monotonic()))
        word = wire.told(kind, content)
        elements = wire.elements_of(content[6:]) if kind == wire.P_DATA_TF else {}
        if kind in (wire.CLOSED, wire.SILENCE):
            words.append("late" if kind == wire.SILENCE else word)
            return next((one for one in words if one not in ("accept", "release", "status 0000")), "closed"), acknowledged
        if elements.get(0x00000100) == wire.us(0x8001) and word == "status 0000":
            word = "stored"
            acknowledged.add(elements.get(0x00001000, b"").rstrip(b"\0").decode("ascii", "replace"))
        words.append(word)


def missing(one: Target, acknowledged: set[str]) -> list[str]:
    """What was acknowledged and is not indexed (ours only)."""
    assert one.service is not None
    indexed = {row["sop_instance_uid"] for row in one.service.rows("SELECT sop_instance_uid FROM instance")}
    return sorted(acknowledged - indexed)


def broken(one: Target, found: Mutants, grown: float, more_threads: int, more_descriptors: int) -> list[str]:
    """What of the promises did not hold (ours only)."""
    assert one.service is not None
    late = found.came.count("late")
    faults = {
        f"{late} were not over within {WITHIN:.0f} s": late,
        f"{one.leftovers()} unfinished files left": one.leftovers(),
        f"stray lines in the log, the first: {one.stray_lines()[:1]}": one.stray_lines(),
        f"acknowledged and not there: {missing(one, found.acknowledged)[:3]}": missing(one, found.acknowledged),
        f"{grown:.0f} MB more memory": grown > GROWTH_MB,
        f"{more_threads} more threads": more_threads > 0,
        f"{more_descriptors} more descriptors": more_descriptors > 0,
        "not alive": not one.is_alive(),
    }
    return [fault for fault, is_one in faults.items() if is_one]


def summary(heard: Iterable[str]) -> str:
    """How often each, in a line."""
    return ", ".join(f"{word} × {count}" for word, count in counted(heard).items())


def run(arguments: list[str]) -> int:
    """Send all, print Markdown; 1 if ours did not do as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults pdus")
    parser.add_argument("--targets", default=",".join(NAMES))
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--cases", action="store_true", help="a line for each case")
    options = parser.parse_args(arguments)
    wrong, heard = [], {}
    for name in options.targets.split(","):
        with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder, target(name, Path(folder)) as one:
            heard[name], found = _of(one, options.mutants)
            wrong += found if name == "ours" else []
    if options.cases:
        print(f"\n| case | {' | '.join(heard)} |\n|{'---|' * (1 + len(heard))}")
        cases = list(next(iter(heard.values())))
        print(*(f"| {case} | {' | '.join(one[case] for one in heard.values())} |" for case in cases), sep="\n")
    print(f"\nours, not as promised: {len(wrong)}", *wrong[:40], sep="\n- ")
    return int(bool(wrong))


def _of(one: Target, count: int) -> tuple[dict[str, str], list[str]]:
    print(f"\n### {one.name}\n", flush=True)
    heard, wrong = {}, []
    for name, cases in {"B02, command sets": command_cases(), "B03, PDUs": pdu_cases()}.items():
        found = all_of(one, cases)
        heard |= found
        print(f"{name}, {len(found)} cases: {summary(found.values())}; alive: {one.is_alive()}\n", flush=True)
        wrong += [f"{case}: {words}" for case, words in found.items() if not is_answer(words)]
    before = one.held()
    found = mutants(one, count)
    after, _ = settled(one, before, 15)
    print(f"B04, {count} mutants in {found.seconds:.0f} s: {summary(found.came)}; alive: {one.is_alive()}; memory ", end="")
    print(f"{before.rss_mb:.0f} → {after.rss_mb:.0f} MB, threads {before.threads} → {after.threads}, ", end="")
    print(f"descriptors {before.descriptors} → {after.descriptors}", flush=True)
    if one.service is None:
        return heard, []
    lines = one.service.log.read_text(errors="replace").count("\n")
    print(f"\nacknowledged {len(found.acknowledged)}, not there {len(missing(one, found.acknowledged))}; ", end="")
    print(f"unfinished files {one.leftovers()}; lines in the log {lines}, not JSON {len(one.stray_lines())}", flush=True)
    more = (after.rss_mb - before.rss_mb, after.threads - before.threads, after.descriptors - before.descriptors)
    return heard, wrong + broken(one, found, *more)
