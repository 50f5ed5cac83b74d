"""File systems of our own: small images, mounted by a loop device, that can be filled, frozen and cut off."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN, _IOR('X', 125, __u32)."""

NO_LOG_FLUSH = 2
"""As if the power went: what the disk has is all there is."""

MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}
MOUNTED_WITHIN = 20


def missing(kind: str = "ext4") -> str:
    """Why there can be no such disk here; empty: there can."""
    if os.geteuid() != 0:
        return "mounting a disk of one's own needs root"
    if not shutil.which(MAKE[kind][0]):
        return f"{MAKE[kind][0]} is not installed"
    found = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
    return "" if found.returncode == 0 else "there is no free loop device"


class Disk:
    """A file system in a file, mounted at ``folder``."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image, self.folder = image, folder

    def mount(self, *options: str) -> None:
        subprocess.run(["mount", "-o", ",".join(("loop", *options)), self.image, self.folder], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.folder], check=True, capture_output=True)

    def remount(self, *options: str) -> None:
        subprocess.run(["mount", "-o", ",".join(("remount", *options)), self.folder], check=True)

    def cut(self) -> None:
        """The power goes: nothing more reaches the image, neither data nor journal."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def free_bytes(self) -> int:
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self, leave: int = 0) -> Path:
        """Take all room but ``leave`` bytes; returns the file that has it."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as stream, suppress(OSError):
            left = max(0, self.free_bytes() - leave)
            while left > 0:
                left -= stream.write(bytes(min(left, 1 << 16)))
            os.fsync(stream.fileno())
        return ballast


@contextmanager
def disk(kind: str = "ext4", megabytes: int = 64, *options: str) -> Iterator[Disk]:
    """A new one, mounted; gone at the end."""
    with TemporaryDirectory() as folder:
        image, target = Path(folder, "image"), Path(folder, "disk")
        target.mkdir()
        with image.open("wb") as stream:
            stream.truncate(megabytes << 20)
        subprocess.run([*MAKE[kind], *options, image], check=True, stdout=subprocess.DEVNULL)
        made = Disk(image, target)
        made.mount()
        try:
            yield made
        finally:
            made.unmount()
