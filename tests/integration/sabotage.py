"""Intakes that are broken on purpose: ``python -m tests.integration.sabotage NAME serve intake …``.

A suite that lets one of them pass proves nothing.
"""

import os
import stat
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from triage import cli
from triage.archive import disk, files
from triage.clock import utc_now
from triage.database import sqlite
from triage.domain.instance import Instance
from triage.services import receive

LATE = timedelta(milliseconds=300)
_fsync, _adopt = os.fsync, receive.adopt


def _spare(wanted: Callable[[int], bool]) -> None:
    os.fsync = lambda descriptor: None if wanted(os.fstat(descriptor).st_mode) else _fsync(descriptor)


def object_not_synced() -> None:
    _spare(stat.S_ISREG)


def directory_not_synced() -> None:
    _spare(stat.S_ISDIR)


def commit_not_synced() -> None:
    sqlite.PRAGMAS["synchronous"] = ("NORMAL", 1)


def nothing_of_the_row_synced() -> None:
    sqlite.PRAGMAS["synchronous"] = ("OFF", 0)


def answered_before_commit() -> None:
    def adopt(header: Any, **known: Any) -> Instance:
        threading.Timer(LATE.total_seconds(), _adopt, (header,), known).start()
        return Instance(
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=header.study_instance_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            digest=known["digest"],
            size_bytes=known["size_bytes"],
            calling_ae_title=known["calling_ae_title"],
            received_at=utc_now(),
        )

    receive.adopt = adopt


def row_before_file() -> None:
    keep, discard = files.FileIncoming.keep, files.FileIncoming.discard
    waiting: list[files.FileIncoming] = []

    def adopt(header: Any, **known: Any) -> Instance:
        instance = _adopt(header, **known)
        for incoming in waiting:
            keep(incoming)
            discard(incoming)
        return instance

    files.FileIncoming.keep = lambda incoming: waiting.append(incoming)
    files.FileIncoming.discard = lambda incoming: None
    files.FileArchive.holds = lambda archive, digest: True  # else it would notice itself, and refuse
    receive.adopt = adopt


def written_to_its_final_name() -> None:
    """The bytes are copied into ``objects/`` instead of being renamed there."""

    def rename(path: Path, target: Path) -> Path:
        with target.open("wb", buffering=0) as stream:
            data = path.read_bytes()
            stream.write(data[: len(data) // 2])
            stream.write(data[len(data) // 2 :])
            _fsync(stream.fileno())
        path.unlink()
        return target

    Path.rename = rename


def short_writes_believed() -> None:
    def append(incoming: Any, data: bytes | memoryview) -> None:
        with incoming._archive.failing():
            os.write(incoming._descriptor, data)

    files.FileIncoming._append = append


def removed_when_it_comes_again() -> None:
    """Whatever ends without a new file takes away the one that is there under its name."""
    discard = files.FileIncoming.discard

    def both(incoming: Any) -> None:
        if not incoming._settled:
            digest = incoming._digest.hexdigest()
            (incoming._archive.objects / digest[:2] / f"{digest}.dcm").unlink(missing_ok=True)
        discard(incoming)

    files.FileIncoming.discard = both


def errors_swallowed() -> None:
    """What the disk refuses is nobody's concern."""
    disk._Failing.__exit__ = lambda failing, kind, error, traceback: isinstance(error, OSError)


OUT_OF_ORDER = (
    object_not_synced,
    directory_not_synced,
    commit_not_synced,
    nothing_of_the_row_synced,
    answered_before_commit,
    row_before_file,
    written_to_its_final_name,
)
"""What the order of the system calls alone gives away."""

SABOTAGES: dict[str, Callable[[], None]] = {
    sabotage.__name__: sabotage
    for sabotage in (*OUT_OF_ORDER, short_writes_believed, removed_when_it_comes_again, errors_swallowed)
}

if __name__ == "__main__":
    SABOTAGES[sys.argv.pop(1)]()
    cli.main()
