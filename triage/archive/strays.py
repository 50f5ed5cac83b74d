"""What lies in the archive's folders and has no business there: found, and given the place that its content asks for."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from triage.domain.identifiers import DIGEST_PREFIXES, is_digest
from triage.domain.stray import Kind, Stray

PART = ".part"
SUFFIX = ".dcm"
RECEIVING_LOCK = "receive.lock"
TURNSTILE_LOCK = "turnstile.lock"
LOCKS = ("settle.lock", RECEIVING_LOCK, TURNSTILE_LOCK)
_INTAKE_LOCK = re.compile(r"intake(@[A-Za-z0-9][A-Za-z0-9._-]*)?\.lock")
_OF_THE_DISK = "lost+found"  # a file system that is mounted here brings it along


def intake_lock(node: str) -> str:
    """The name of the lock that one node's intake holds; ``""``: there is one node."""
    return f"intake@{node}.lock" if node else "intake.lock"


def digest_in(name: str) -> str | None:
    """The digest that a file name speaks of, or ``None``."""
    stem = name.removesuffix(SUFFIX)
    return stem if name.endswith(SUFFIX) and is_digest(stem) else None


def strays(root: Path) -> Iterator[Stray]:
    """Everything amiss, folder by folder; by names alone, no file is opened."""
    for entry in _entries(root, "objects"):
        if entry.name in DIGEST_PREFIXES and entry.is_dir(follow_symlinks=False):
            yield from _beside_objects(root, entry.name)
        else:
            yield _stray(f"objects/{entry.name}", entry)
    for entry in _entries(root, "quarantine"):
        if digest_in(entry.name) is None or not entry.is_file(follow_symlinks=False):
            yield _stray(f"quarantine/{entry.name}", entry, misplaced=False)
    for entry in _entries(root, "incoming"):
        ours = entry.name.endswith(PART) or entry.name in LOCKS or _INTAKE_LOCK.fullmatch(entry.name)
        if not (ours and entry.is_file(follow_symlinks=False)):
            yield _stray(f"incoming/{entry.name}", entry)


def _beside_objects(root: Path, prefix: str) -> Iterator[Stray]:
    for entry in _entries(root, f"objects/{prefix}"):
        digest = digest_in(entry.name)
        if digest is None or digest[:2] != prefix or not entry.is_file(follow_symlinks=False):
            yield _stray(f"objects/{prefix}/{entry.name}", entry)


def _entries(root: Path, folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(root / folder) as entries:
        yield from (entry for entry in entries if entry.name != _OF_THE_DISK)


def _stray(place: str, entry: os.DirEntry[str], *, misplaced: bool = True) -> Stray:
    digest = digest_in(entry.name) if misplaced else None
    if entry.is_symlink():
        kind = Kind.LINK
    elif entry.is_dir():
        kind = Kind.DIRECTORY
    elif not entry.is_file():
        kind = Kind.SPECIAL
    else:
        kind = Kind.FILE if digest is None else Kind.MISPLACED
    return Stray(place=place, kind=kind, digest=digest)
