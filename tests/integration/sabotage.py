"""Intakes that are broken on purpose: ``python -m tests.integration.sabotage NAME serve intake …``.

A suite that lets one of them pass proves nothing.
"""

import os
import stat
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from triage import cli
from triage.archive import files
from triage.clock import utc_now
from triage.database import engine
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
    engine.PRAGMAS["synchronous"] = ("NORMAL", 1)


def nothing_of_the_row_synced() -> None:
    engine.PRAGMAS["synchronous"] = ("OFF", 0)


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
    receive.adopt = adopt


SABOTAGES: dict[str, Callable[[], None]] = {
    sabotage.__name__: sabotage
    for sabotage in (
        object_not_synced,
        directory_not_synced,
        commit_not_synced,
        nothing_of_the_row_synced,
        answered_before_commit,
        row_before_file,
    )
}

if __name__ == "__main__":
    SABOTAGES[sys.argv.pop(1)]()
    cli.main()
