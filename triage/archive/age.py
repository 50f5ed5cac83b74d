"""How long ago a file was written, by the clock of the file system that holds it: hosts that share one need not agree."""

import os
import secrets
from datetime import timedelta
from pathlib import Path

from triage.archive.strays import PART


def now_of(folder: Path) -> float:
    """The time by which the file system of ``folder`` dates files, in seconds."""
    probe = folder / f"{secrets.token_hex(16)}{PART}"
    descriptor = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, b"?")  # what dates a file is a write
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def is_older(path: Path, than: timedelta, now: float) -> bool:
    """Whether a file was last written so long ago; one that is gone was not."""
    try:
        return path.stat(follow_symlinks=False).st_mtime <= now - than.total_seconds()
    except FileNotFoundError:
        return False
