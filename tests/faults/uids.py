"""``python -m tests.faults uids [--targets ours,storescp,Orthanc] [--cases]``: B01, B25, S1, S14, S15.

Hostile UIDs, objects that begin like something else, who may associate, and what is offered; the same against each target.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from tests.faults import outside
from tests.faults.pdus import summary
from tests.faults.targets import NAMES, Target, ours, target
from tests.faults.uid_cases import BEGINNINGS, Case, uid_cases
from tests.faults.wire import SILENCE, Peer, accepted, associate_rq, contexts, item, user_information
from tests.integration.objects import data_of, film, sop_uid

WITHIN = 5.0
FIRST_GOOD = 70_000


@dataclass
class Tally:
    """What came of the cases: each answer, those that did not go as they must, and what was kept of them."""

    heard: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    good: int = 0


def uids(one: Target) -> Tally:
    """All on one association as long as it lives; after each a good film, which must be stored."""
    tally, peer = Tally(), None
    for number, case in enumerate(uid_cases(), FIRST_GOOD):
        if peer is None:
            peer = _associated(one)
        found = _store(peer, case)
        name = f"{case.family}, {case.name}"
        tally.heard[name] = found
        if not is_refusal(found):
            tally.wrong.append(f"{name}: {found}")
        after = peer.store(sop_uid(number), data_of(film(number)))
        tally.good += after == "status 0000"
        if after != "status 0000":
            tally.lost += 1
            tally.wrong.append(f"{name}: then a good film: {after}")
            peer.socket.close()
            peer = None
    if peer is not None:
        peer.release()
        peer.socket.close()
    return tally


def is_refusal(found: str) -> bool:
    """Whether a C-STORE was answered by a status of failure (PS3.7 C: 01xx, Axxx, Cxxx)."""
    return found.startswith(("status 01", "status A", "status C"))


def _associated(one: Target) -> Peer:
    peer = Peer(one.port, seconds=WITHIN)
    assert (found := peer.associate(called=one.ae_title)) == "accept", f"{one.name}: {found}"
    return peer


def _store(peer: Peer, case: Case) -> str:
    return peer.store(case.sop_instance_uid, case.data, sop_class_uid=case.sop_class_uid)


def polyglots(one: Target) -> tuple[int, dict[str, str], list[str]]:
    """Data sets that begin like something else, and films sent by ``storescu`` whose preamble does.

    Returns how many were sent, what came of the data sets, and the kept files that do not begin with 128 zeros and ``DICM``.
    """
    heard = {}
    for name, beginning in BEGINNINGS.items():
        with _associated(one) as peer:
            heard[name] = peer.store(sop_uid(80_000 + len(heard)), beginning + data_of(film(80_000 + len(heard))))
    for name, data in {"nothing": b"", "one byte": b"\x08", "a Part 10 file": film(80_050)}.items():
        with _associated(one) as peer:
            heard[name] = peer.store(sop_uid(80_050), data)
    sent = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, beginning in enumerate(BEGINNINGS.values(), 80_100):
            path = Path(folder) / "film.dcm"
            path.write_bytes(beginning.ljust(128, b"x") + film(number)[128:])
            done = subprocess.run(["storescu", "-aec", one.ae_title, "127.0.0.1", str(one.port), str(path)], check=False)
            sent += done.returncode == 0
    kept = [path for path in one.folder.rglob("*") if path.is_file() and path.stat().st_size > 1024]
    looks = {path.name: path.read_bytes()[:132] for path in kept if path.suffix == ".dcm" or one.service is None}
    strange = [name for name, head in looks.items() if b"DICM" in head and head[:128] != bytes(128)]
    strange += [name for name, head in looks.items() if head.startswith(tuple(BEGINNINGS.values()))]
    return len(heard) + sent, heard, sorted(set(strange))


def combinations(one: Target, called: str) -> Iterator[tuple[str, str]]:
    """S14: called AE title × calling AE title and address; what came of asking."""
    peers = {"MODALITY at its address": ("MODALITY", "127.0.0.2"), "MODALITY elsewhere": ("MODALITY", "127.0.0.3")}
    peers["a stranger"] = ("STRANGER", "127.0.0.2")
    for title, (who, (calling, source)) in product((called, "OTHER", " "), peers.items()):
        with Peer(one.port, source=source, seconds=WITHIN) as peer:
            found = peer.associate(called=title, calling=calling)
            if found == "accept":
                peer.release()
            yield f"called {title.strip() or 'by nothing'}, {who}", found


def negotiated(one: Target) -> set[tuple[str, str]]:
    """S15: every storage class and some others × every transfer syntax of the standard: which pairs are accepted."""
    from pydicom.uid import UID_dictionary

    classes = [value for value, entry in UID_dictionary.items() if entry[1] == "SOP Class"]
    syntaxes = [value for value, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
    pairs = list(product([*classes, "1.2.3.4", "1.2.840.10008.5.1.4.1.1.1.999"], [*syntaxes, "1.2.3.5"]))
    found = set()
    for first in range(0, len(pairs), 128):
        some = pairs[first : first + 128]
        items = item(0x10, "1.2.840.10008.3.1.1.1") + contexts([(abstract, (syntax,)) for abstract, syntax in some])
        with Peer(one.port, seconds=30.0) as peer:
            peer.send(associate_rq(called=one.ae_title, items=items + user_information()))
            kind, content = peer.receive()
            assert kind != SILENCE, f"{one.name} says nothing to 128 contexts"
            found |= {some[(number - 1) // 2] for number in accepted(content)} if kind == 2 else set()
            peer.release()
    return found


STORAGE = {f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("1", "1.1", "1.1.1", "7")}
SYNTAXES = {
    f"1.2.840.10008.1.2{tail}"
    for tail in ("", ".1", ".5", *(f".4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203)))
}
OTHERS = {"1.2.840.10008.1.1", "1.2.840.10008.1.20.1"}
RESULTS = {"1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.11.1"}
EXACTLY = set(product(STORAGE, SYNTAXES)) | set(product(OTHERS | RESULTS, {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}))
"""CR, DX for presentation and for processing, Secondary Capture; beside them Verification, Storage Commitment, and what our own
results are, for those that come back;
no deflated, no big endian, no retired syntax."""


def astray(one: Target) -> list[str]:
    """Entries of the home that are neither of the house nor named by a digest (ours only)."""
    assert one.service is not None
    home = one.service.home
    house = {"instances", "triage.db", "triage.db-wal", "triage.db-shm", "audit.head", "models", "triage.toml", "bell"}
    strange = [str(path) for path in home.iterdir() if path.name not in house]
    strange += [str(path) for path in home.parent.iterdir() if path.name not in (home.name, home.with_suffix(".log").name)]
    for path in (home / "instances").rglob("*"):
        of_house = path.is_dir() or path.suffix == ".lock" or (path.suffix == ".dcm" and len(path.stem) == 64)
        strange += [] if of_house else [str(path)]
    return strange


def run(arguments: list[str]) -> int:
    """Try all, print Markdown; 1 if ours did not do as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults uids")
    parser.add_argument("--targets", default=",".join(NAMES))
    parser.add_argument("--cases", action="store_true", help="a line for each case")
    options = parser.parse_args(arguments)
    wrong = []
    for name in options.targets.split(","):
        with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder:
            found = _of(name, Path(folder), options.cases)
            wrong += found if name == "ours" else []
    wrong += _where() if "ours" in options.targets else []
    print(f"\nours, not as promised: {len(wrong)}", *wrong[:40], sep="\n- ")
    return int(bool(wrong))


def _of(name: str, folder: Path, each: bool) -> list[str]:
    wrong = []
    with target(name, folder) as one:
        tally = uids(one)
        print(f"\n### {name}\n\nB01: {len(tally.heard)} hostile C-STOREs: {summary(tally.heard.values())};", end=" ")
        print(f"associations lost {tally.lost}, good films stored after them {tally.good}", flush=True)
        if each:
            print("\n| case | came |\n|---|---|", *(f"| {case} | {came} |" for case, came in tally.heard.items()), sep="\n")
        wrong += tally.wrong
        sent, heard, strange = polyglots(one)
        print(f"\nB25: {sent} polyglots: {summary(heard.values())}; kept with something else at their head: {len(strange)}")
        wrong += [f"begins like something else: {one}" for one in strange]
        pairs = negotiated(one)
        print(f"\nS15: accepted {len(pairs)} pairs of class and syntax; not to be offered {len(pairs - EXACTLY)}, ", end="")
        print(f"missing {len(EXACTLY - pairs)}", flush=True)
        wrong += [f"offered: {pair}" for pair in pairs ^ EXACTLY]
        if one.service is not None:
            wrong += [f"astray: {path}" for path in astray(one)] + [f"in the log: {line[:120]}" for line in one.stray_lines()]
            wrong += [f"{one.leftovers()} unfinished files"] if one.leftovers() else []
        wrong += [] if one.is_alive() else ["not alive"]
    wrong += _who(name, folder / "who")
    return wrong


def _where() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="triage-faults-") as folder:
        with outside.traced(Path(folder)) as (one, trace):
            tally, home = uids(one), one.folder.parent
        calls, found = len(outside.written(trace)), outside.outside(trace, home)
    print(
        f"\nS1: {len(tally.heard)} hostile C-STOREs again, {calls} paths written to: {len(found)} outside the home", flush=True
    )
    return [f"written outside the home: {path}" for path in found]


def _who(name: str, folder: Path) -> list[str]:
    folder.mkdir()
    settings = {"dimse__allowed_peers": "MODALITY@127.0.0.2"}
    with ours(folder, settings) if name == "ours" else target(name, folder) as one:
        found = dict(combinations(one, one.ae_title))
    print(f"\nS14: {len(found)} combinations: {summary(found.values())}", flush=True)
    right = f"called {one.ae_title}, MODALITY at its address"
    return [f"{case}: {came}" for case, came in found.items() if (came == "accept") != (case == right)]
