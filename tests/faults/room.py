"""F15–F19: a disk that is full, out of inodes, read-only, gone, or somebody else's.

``python -m tests.faults room``. Each time: the status that says so, nothing left behind, what is there still readable, and
films are taken again without a restart once there is room.
"""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.account import Account
from tests.faults.disk import Disk, disk, missing
from tests.faults.intake import Intake
from tests.faults.sender import SUCCESS, Answer, Sender, film
from tests.integration.service import until

FLOOR = 1 << 20
RECOVERS_WITHIN = 10.0
NOBODY = 65534


@dataclass(kw_only=True)
class Story:
    """One row: what was answered while there was no room, and after it was made again."""

    while_full: list[Answer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    recovered_after: float = 0.0

    @property
    def good(self) -> bool:
        return not self.wrong and self.recovered_after < RECOVERS_WITHIN

    def row(self, name: str) -> str:
        answers = ", ".join(f"{one:04X}" if isinstance(one, int) else one for one in self.while_full)
        after = f"{self.recovered_after:.1f} s"
        return f"| {name} | {answers} | {after} | {'; '.join(self.wrong) or 'nothing'} |"


class Tale:
    """An intake on a disk of its own, what it was given, and what it answered."""

    def __init__(self, home: Disk, intake: Intake) -> None:
        self.disk, self.intake = home, intake
        self.account, self.story, self.number = Account(), Story(), 0

    def store(self, side: int = 0) -> Answer:
        """A new film on an association of its own."""
        self.number += 1
        one = film(self.number, side=side)
        with Sender(self.intake.dimse_port) as sender:
            return self.account.note(one, sender.store(one))

    def refused(self, *, side: int = 0, expected: tuple[Answer, ...] = (0xA700,)) -> None:
        """A film that there is no room for: the right status, nothing left, what is there still readable."""
        answer = self.store(side)
        self.story.while_full.append(answer)
        if answer not in expected:
            self.story.wrong.append(f"answered {answer:04X}" if isinstance(answer, int) else f"answered {answer}")
        if not self.intake.wait_until_empty(2):
            self.story.wrong.append(f"left over {self.intake.leftovers()}")
        if self.intake.alive():
            found = self.account.check(self.intake)
            if not found.nothing:
                self.story.wrong.append(found.counted())

    def recovers(self, side: int = 0) -> None:
        """Without a restart, films are taken again."""
        begun = time.monotonic()
        until(lambda: self.store(side) == SUCCESS, RECOVERS_WITHIN, "taken again", every=0.2)
        self.story.recovered_after = time.monotonic() - begun


def full_before(tale: Tale) -> None:
    ballast = tale.disk.fill(leave=FLOOR // 2)
    tale.refused()
    ballast.unlink()
    tale.recovers()


def full_in_the_middle(tale: Tale) -> None:
    ballast = tale.disk.fill(leave=FLOOR + (1 << 20))
    tale.refused(side=2048)  # 4 MiB for which there is room at the first byte
    ballast.unlink()
    tale.recovers(side=1024)


def full_to_the_last_byte(tale: Tale) -> None:
    """The floor is off: the disk itself says no, in the middle of a write."""
    tale.intake.stop()
    tale.intake.environment["TRIAGE_STORAGE__FLOOR_BYTES"] = "0"
    tale.intake.start()
    ballast = tale.disk.fill(leave=300_000)
    tale.refused(side=1024, expected=(0xA700,))
    while tale.disk.free_bytes() > 20_000 and tale.store() == SUCCESS:  # to where there is no room for a row
        pass
    tale.disk.fill()
    tale.refused(expected=(0xA700, 0xA701))
    ballast.unlink()
    tale.recovers()


def no_inodes(tale: Tale) -> None:
    folder = tale.disk.folder / "many"
    folder.mkdir()
    made = []
    try:
        while True:
            made.append(folder / f"{len(made)}")
            made[-1].touch()
    except OSError:
        made.pop()
    tale.refused()
    for path in made:
        path.unlink()
    tale.recovers()


def file_size_limit(tale: Tale) -> None:
    """RLIMIT_FSIZE: a short write, then EFBIG."""
    subprocess.run(["prlimit", f"--pid={tale.intake.number}", "--fsize=6291456:unlimited"], check=True)
    tale.refused(side=3000)
    subprocess.run(["prlimit", f"--pid={tale.intake.number}", "--fsize=unlimited:unlimited"], check=True)
    tale.recovers()


def read_only(tale: Tale) -> None:
    """The database on another disk: only the films' goes read-only."""
    instances = tale.intake.home / "instances"
    subprocess.run(["mount", "--bind", instances, instances], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", instances], check=True)
        tale.refused()
        subprocess.run(["mount", "-o", "remount,bind,rw", instances], check=True)
        tale.recovers()
    finally:
        subprocess.run(["umount", "--lazy", instances], check=True)


def wrong_owner(tale: Tale) -> None:
    """The service runs as nobody, and the folder for what comes in becomes root's."""
    tale.intake.stop()
    everything = [tale.intake.home, *tale.intake.home.rglob("*"), tale.intake.log]
    for path in everything:
        os.chown(path, NOBODY, NOBODY)
    tale.intake.patch = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    for path in (tale.disk.folder, tale.disk.folder.parent, tale.intake.log.parent):
        path.chmod(0o755)
    tale.intake.start()
    incoming = tale.intake.home / "instances/incoming"
    os.chown(incoming, 0, 0)
    tale.refused()
    os.chown(incoming, NOBODY, NOBODY)
    tale.recovers()


def folder_gone(tale: Tale) -> None:
    incoming = tale.intake.home / "instances/incoming"
    aside = incoming.with_name("elsewhere")
    incoming.rename(aside)
    tale.refused()
    aside.rename(incoming)
    tale.recovers()


def objects_gone(tale: Tale) -> None:
    """Of all the final names' folders."""
    objects = tale.intake.home / "instances/objects"
    aside = objects.with_name("elsewhere")
    objects.rename(aside)
    tale.story.while_full.append(answer := tale.store())
    if answer != 0xA700:
        tale.story.wrong.append(f"answered {answer}")
    if not tale.intake.wait_until_empty(2):
        tale.story.wrong.append("left over")
    aside.rename(objects)
    tale.recovers()


STORIES: dict[str, Callable[[Tale], None]] = {
    "full (below its floor) before a film": full_before,
    "full in the middle of a film of 4 MiB": full_in_the_middle,
    "full to the last byte, no floor": full_to_the_last_byte,
    "no inodes left": no_inodes,
    "files of 6 MiB at most (RLIMIT_FSIZE), a film of 9 MiB": file_size_limit,
    "the films' folder read-only": read_only,
    "incoming/ another user's": wrong_owner,
    "incoming/ gone": folder_gone,
    "objects/ gone": objects_gone,
}


def told(story: Callable[[Tale], None]) -> Story:
    """On an ext4 of 48 MiB and 1,000 inodes, no blocks of it kept for root."""
    with disk("ext4", 48, "-N", "1000", "-m", "0") as home, TemporaryDirectory() as folder:
        settings = {"storage__floor_bytes": str(FLOOR)}
        intake = Intake(home.folder / "home", settings=settings, log=Path(folder, "intake.log")).start()
        tale = Tale(home, intake)
        try:
            assert tale.store() == SUCCESS
            story(tale)
            found = tale.account.check(intake)
            if not found.nothing:
                tale.story.wrong.append(found.counted())
            intake.stop()
        finally:
            intake.kill()
    return tale.story


def run(arguments: list[str]) -> int:
    """Each story on a disk of its own."""
    if why := missing():
        print(f"not tried: {why}")
        return 0
    print("| the disk is | answers meanwhile | taken again after | not as promised |\n|---|---|---|---|")
    good = True
    for name, story in STORIES.items():
        row = told(story)
        print(row.row(name), flush=True)
        good &= row.good
    return int(not good)
