"""Whether a folder lies on a file system that other machines share: SQLite's locks and shared memory do not hold there."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from triage.domain.errors import ConfigError

SHARED = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB 2",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "kAFS",
    0x73757245: "Coda",
    0x564C: "NCP",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x20030528: "OrangeFS",
    0x786F4256: "VirtualBox's shared folders",
    0xBACBACBC: "VMware's shared folders",
}
"""Kinds of file system by the number that statfs(2) gives. Behind FUSE may be anything: sshfs, GlusterFS, a bucket."""
_ROOM = 256
"""Bytes; a ``struct statfs`` is smaller everywhere."""


def kind_of(path: Path) -> int:
    """The number of the file system that ``path`` lies on.

    Raises:
        OSError: it cannot be asked.
    """
    room = ctypes.create_string_buffer(_ROOM)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), room) != 0:
        raise OSError(ctypes.get_errno(), "statfs failed", str(path))
    # its first field: a long, on some machines an int; no number here needs more than 32 bits
    return int.from_bytes(room.raw[:4], "little")


def refuse_shared(folder: Path, kind: Callable[[Path], int] = kind_of) -> None:
    """Refuse a folder for a SQLite file that lies on such a file system; one that is not there yet is judged by what it is in.

    Raises:
        ConfigError: it does.
    """
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        shared = SHARED.get(kind(folder))
    except OSError:
        return  # what cannot be asked is told when the file is opened
    if shared is not None:
        raise ConfigError(
            f"database: {folder} lies on a network file system ({shared}), where SQLite loses rows; put the home on a disk of"
            " this machine, films elsewhere by storage.archive, or use PostgreSQL (database_url)"
        )
