"""What a child may not do. Each protection holds by itself; where the kernel lacks one, the others stay."""

import contextlib
import ctypes
import math
import os
import resource
import signal
import struct
from dataclasses import dataclass
from functools import cache

from triage.sandbox import refused

GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``memory_bytes``: address space, that of the libraries included."""

    memory_bytes: int = 4 * GIB


LIMITS = Limits()

RESOURCES = "resource limits"
SYSTEM_CALLS = "seccomp"
FILES = "Landlock"
PROTECTIONS = {
    RESOURCES: "POSIX resource limits",  # memory, processor time, file size, open files, no core file
    SYSTEM_CALLS: "Linux on x86_64 or aarch64 with CONFIG_SECCOMP_FILTER",  # no network, program, process, file
    FILES: "Linux 5.13 or newer, with landlock in lsm= on its command line, and a container that does not refuse it",  # no file
}
"""What each needs."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF, _ASK_VERSION = 444, 446, 1  # the same on every machine
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # Landlock ABI → how many kinds of access to files it knows
_NET_RIGHTS, _SCOPES = 0b11, 0b11  # bind and connect by TCP (ABI 4); abstract sockets and signals of others (ABI 6)


def confine(limits: Limits, seconds: float, parent: int) -> list[str]:
    """Bind this process, for ever, to ``seconds`` of processor time and the rest; returns the protections in force.

    It ends when ``parent``, its parent process, does. No file can be opened any more, by any way.
    """
    _die_first()
    libc = c_library()
    in_force = [RESOURCES]
    no_new_privileges = hasattr(libc, "prctl") and libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if no_new_privileges:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # no core by way of a pipe either, and nobody looks into its memory
        if _no_files(libc):
            in_force.append(FILES)
    if os.getppid() != parent:
        os._exit(1)
    whole = math.ceil(seconds)
    _lower(resource.RLIMIT_AS, limits.memory_bytes)
    _lower(resource.RLIMIT_CPU, whole, whole + 1)
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE):
        _lower(kind, 0)
    if no_new_privileges and refused.refuse(libc):
        in_force.append(SYSTEM_CALLS)
    return in_force


def confine_for_good(limits: Limits) -> None:
    """For a process that answers more than one question and opens files of ours: its memory, and no core file."""
    _lower(resource.RLIMIT_AS, limits.memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)


@cache
def c_library() -> ctypes.CDLL:
    """The C library of this process; looked up once, before a child needs it."""
    return ctypes.CDLL(None, use_errno=True)


def _die_first() -> None:
    """When the machine runs out of memory, the child goes and not the service."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as score:
        score.write(b"1000")


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """A limit, where the machine's own is not lower still."""
    _, highest = resource.getrlimit(kind)
    wished = soft if hard is None else hard
    hard = wished if highest == resource.RLIM_INFINITY else min(wished, highest)
    resource.setrlimit(kind, (min(soft, hard), hard))


def _no_files(libc: ctypes.CDLL) -> bool:
    """Landlock: a ruleset that handles every kind of access and allows none."""
    version = libc.syscall(ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION))
    if version < 1:
        return False
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    rights = struct.pack("=QQQ", files, _NET_RIGHTS, _SCOPES)[: 8 if version < 4 else 16 if version < 6 else 24]
    size = ctypes.c_size_t(len(rights))
    ruleset = libc.syscall(ctypes.c_long(_LANDLOCK_CREATE_RULESET), rights, size, ctypes.c_uint(0))
    if ruleset < 0:
        return False
    done = libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT_SELF), ctypes.c_int(ruleset), ctypes.c_uint(0))
    os.close(ruleset)
    return bool(done == 0)
