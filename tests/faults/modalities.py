"""Modalities that repeat a film until it is acknowledged: DCMTK's ``storescu``, one association a film."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.account import Account
from tests.faults.sender import SUCCESS, Answer, Film
from tests.integration.objects import DX, part10

INSTALLED = shutil.which("storescu") is not None
STATUS = re.compile(r"DIMSE Status +: 0x([0-9a-f]{4})")
PAUSE = 0.3
"""Seconds until a film that was refused is sent again."""
GIVEN_UP_AFTER = 300.0


def storescu(port: int, film: Film, folder: Path) -> Answer:
    """Send one film; the status of its answer, ``closed`` when there was none."""
    file = folder / f"{film.uid}.dcm"
    file.write_bytes(part10(film.data, DX, film.uid))
    command = ["storescu", "-d", "-aet", "RIG", "-aec", "TRIAGE", "127.0.0.1", str(port), str(file)]
    said = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)
    file.unlink()
    found = STATUS.findall(said.stderr + said.stdout)
    return int(found[-1], 16) if found else "closed"


class Modalities:
    """Several at once, with the films shared out among them."""

    def __init__(self, port: int, films: Iterable[Film], account: Account, folder: Path, number: int = 3) -> None:
        self.port, self.account, self.folder = port, account, folder
        self._films, self._lock = iter(films), threading.Lock()
        self.unsent: list[Film] = []
        self._threads = [threading.Thread(target=self._work, name=f"modality {one}") for one in range(number)]

    def _work(self) -> None:
        while True:
            with self._lock:
                film = next(self._films, None)
            if film is None:
                return
            if not self._sent(film):
                self.unsent.append(film)

    def _sent(self, film: Film) -> bool:
        deadline = time.monotonic() + GIVEN_UP_AFTER
        while time.monotonic() < deadline:
            if self.account.note(film, storescu(self.port, film, self.folder)) == SUCCESS:
                return True
            time.sleep(PAUSE)
        return False

    @contextmanager
    def at_work(self) -> Iterator["Modalities"]:
        """They send meanwhile; at the end every film is acknowledged, or given up."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            for thread in self._threads:
                thread.join()
