"""What a process asked of the kernel during one store, and whether the order was the durable one."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.integration.databases import ON_POSTGRESQL

TRACED = "fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,write,writev,pwrite64,pwritev,send,sendto,sendmsg,recvfrom"
OPTIONS = ("-f", "--seccomp-bpf", "-y", "-x", "-s", "400", "-e", f"trace={TRACED}")

C_STORE_RSP = b"\x00\x00\x00\x01\x02\x00\x00\x00\x01\x80"  # (0000,0100) US 8001H, PS3.7 9.3.1.2
STATUS = b"\x00\x00\x00\x09\x02\x00\x00\x00"  # (0000,0900) US

_WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. ``begun`` and ``ended`` are line numbers: their order is the order in time."""

    thread: str
    name: str
    arguments: str
    begun: int
    ended: int
    result: int

    @property
    def path(self) -> str:
        """What the descriptor, the first argument, stands for."""
        found = _DESCRIPTOR.match(self.arguments)
        return found[1] if found else ""

    @property
    def texts(self) -> list[bytes]:
        """The quoted arguments."""
        return [text.encode().decode("unicode_escape").encode("latin-1") for text in _TEXT.findall(self.arguments)]


def read(trace: Path) -> list[Call]:
    """The calls of a trace, in the order in which they ended."""
    calls: list[Call] = []
    open_calls: dict[str, Call] = {}
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        if found := _BEGUN.match(line):
            thread, name, arguments = found.groups()
            open_calls[thread] = Call(thread, name, arguments, number, -1, 0)
        elif found := _RESUMED.match(line):
            thread, _, rest, result = found.groups()
            begun = open_calls.pop(thread)
            calls.append(replace(begun, arguments=begun.arguments + rest, ended=number, result=int(result)))
        elif found := _WHOLE.match(line):
            thread, name, arguments, result = found.groups()
            calls.append(Call(thread, name, arguments, number, number, int(result)))
    return calls


class OutOfOrder(AssertionError):
    """The store answered before the film was safe; says what is missing."""


def first(calls: list[Call], what: str, wanted: Callable[[Call], bool], after: int, before: int) -> Call:
    """The first successful call that is as wanted, wholly between two moments.

    Raises:
        OutOfOrder: there is none.
    """
    for call in calls:
        if wanted(call) and call.result >= 0 and call.begun > after and call.ended < before:
            return call
    raise OutOfOrder(f"no {what} in time")


def is_sync(call: Call) -> bool:
    return call.name in ("fsync", "fdatasync")


def is_write(call: Call) -> bool:
    return call.name in ("write", "writev", "pwrite64", "pwritev")


def is_success(call: Call) -> bool:
    """Whether this sends a C-STORE-RSP with status 0x0000."""
    if not call.name.startswith("send") or not call.texts:
        return False
    data = call.texts[0]
    at = data.find(STATUS)
    return data[:2] == b"\x04\x00" and C_STORE_RSP in data and at >= 0 and data[at + len(STATUS) :][:2] == b"\0\0"


def check_durable_order(calls: list[Call]) -> list[str]:
    """fsync(.part) → rename → fsync(directory) → commit, durable, all before the answer; returns what was seen.

    Raises:
        OutOfOrder: a step is missing or too late.
    """
    answers = [call for call in calls if is_success(call)]
    if len(answers) != 1:
        raise OutOfOrder(f"{len(answers)} answers of success")
    answer = answers[0].begun
    renamed = first(calls, "rename of the .part", lambda c: c.name.startswith("rename") and ".part" in c.arguments, -1, answer)
    part, kept = (text.decode() for text in renamed.texts)
    folder = kept.rpartition("/")[0]
    written = [c for c in calls if is_write(c) and c.path == part]
    if not written or written[-1].ended > renamed.begun:
        raise OutOfOrder("the object is not written before it is renamed")
    synced = first(calls, "fsync of the object", lambda c: is_sync(c) and c.path == part, written[-1].ended, renamed.begun)
    parent = folder.rpartition("/")[0]
    for call in calls:
        if call.name.startswith("mkdir") and call.texts[0].decode() == folder and call.result == 0:
            first(calls, "fsync of the new directory's parent", lambda c: is_sync(c) and c.path == parent, call.ended, answer)
    entered = first(calls, "fsync of the directory", lambda c: is_sync(c) and c.path == folder, renamed.ended, answer)
    # the thread that renamed is the one that commits; a heartbeat's commit in another thread does not count
    ours = [c for c in calls if c.thread == renamed.thread]
    committed = (asked_of_the_server if ON_POSTGRESQL else written_to_the_log)(ours, entered.ended, answer)
    steps = (synced, renamed, entered, *committed, answers[0])
    return [f"{step.name} {Path(step.path or kept).suffix or Path(step.path).name}" for step in steps]


def written_to_the_log(ours: list[Call], after: int, before: int) -> tuple[Call, Call]:
    """SQLite: the last page of the write-ahead log, and its fsync.

    Raises:
        OutOfOrder: one is missing.
    """
    log = [c for c in ours if c.path.endswith("-wal")]
    pages = [c for c in log if is_write(c) and c.begun > after and c.ended < before]
    if not pages:
        raise OutOfOrder("no row is written between the fsync of the directory and the answer")
    return pages[-1], first(log, "fsync of the write-ahead log", is_sync, pages[-1].ended, before)


def asked_of_the_server(ours: list[Call], after: int, before: int) -> tuple[Call, Call]:
    """PostgreSQL: COMMIT on the wire, and the server's word that it is done, which it gives after its own fsync.

    Raises:
        OutOfOrder: one is missing.
    """

    def says(call: Call, how: str) -> bool:
        return call.name.startswith(how) and any(b"COMMIT" in text for text in call.texts)

    asked = first(ours, "COMMIT", lambda call: says(call, "send"), after, before)
    return asked, first(ours, "answer to the COMMIT", lambda call: says(call, "recv"), asked.ended, before)
