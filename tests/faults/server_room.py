"""A PostgreSQL on a disk of its own that is full (F42)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import postgres
from tests.faults.server_site import Story, site
from tests.integration.service import is_alive, until
from tests.size import size

FILMS = size(24, 120)
MEGABYTES = 160


class Small(postgres.Server):
    """Its log comes in small pieces, so that the next one is soon needed."""

    initdb = ("--wal-segsize=1",)


@contextmanager
def small() -> Iterator[Small]:
    """A server in a file system of so many :data:`MEGABYTES`."""
    with TemporaryDirectory(prefix="triage-postgres-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=755", "tmpfs", folder], check=True)
        try:
            one = Small(Path(folder))
            yield one
            with suppress(AssertionError):
                one.stop()
        finally:
            until(lambda: subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0, 30, "unmounted")


def fill(ballast: Path) -> None:
    """To the last byte."""
    with ballast.open("wb", buffering=0) as stream:
        for piece in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    stream.write(bytes(piece))


def disk_full(folder: Path) -> Story:
    """No room for the next page or the next piece of its log; it may go down of that. Then there is room again."""
    story = Story()
    with small() as server, site(folder, server.owned()) as one:
        with one.sending(FILMS):
            one.wait_sent(FILMS // 4)
            ballast = server.folder.parent / "ballast"
            fill(ballast)
            one.wait_refused()
            ballast.unlink()
            if not is_alive(server.pid):
                server.start()
            story.back = one.time_back()
        return one.books(story)
