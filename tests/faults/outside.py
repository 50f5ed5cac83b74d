"""Where a process writes, by its system calls: with hostile UIDs before it, nowhere but in its home."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.targets import Target, ours

CALLS = "openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,mknod"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
HARMLESS = ("/dev/null", "/dev/shm", "/dev/tty")


@contextmanager
def traced(folder: Path) -> Iterator[tuple[Target, Path]]:
    """``triage serve intake`` under ``strace``, and where the trace goes."""
    trace = folder / "trace"
    strace = ("strace", "-f", "--seccomp-bpf", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace))
    options = {"command": (*strace, sys.executable, "-B", "-m", "triage")}
    with ours(folder, **options) as one:  # type: ignore[arg-type]
        yield one, trace


def written(trace: Path) -> list[str]:
    """Paths that were made, changed, moved or removed, or tried to be, as they were given."""
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        name = re.search(r"(\w+)\(", line)
        if name and (not name[1].startswith("open") or WRITES.search(line)):
            found += TEXT.findall(line)
    return found


def outside(trace: Path, home: Path) -> list[str]:
    """Those of them that are not below the home."""
    return sorted({path for path in written(trace) if not path.startswith((f"{home}/", *HARMLESS)) and path != str(home)})
