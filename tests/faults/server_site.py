"""An intake and a worker on PostgreSQL, modalities before them, and the books at the end of a story."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.account import Account
from tests.faults.intake import Intake
from tests.faults.modalities import Modalities
from tests.faults.sender import film
from tests.integration.service import Service, until

ALLOWED = ("0000", "A700", "A701")
"""What a modality may hear: success, or a status after which it repeats."""
DOUBLED = (
    "SELECT study_instance_uid FROM result GROUP BY study_instance_uid HAVING count(*) > 1",
    "SELECT study_instance_uid FROM outcome GROUP BY study_instance_uid, image_set, bundle_id HAVING count(*) > 1",
)
REFUSED_WITHIN, ASSESSED_WITHIN = 60.0, 120.0


@dataclass(kw_only=True)
class Story:
    """What came of one. ``refused``: answers of 0xA7xx; ``back``: seconds until a film was taken after it was over."""

    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    results: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    back: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """N films, N rows, N results, nothing lost, nothing doubled."""
        return not self.wrong and self.lost == self.doubled == 0 and self.sent == self.stored == self.results


class Site:
    """``url``: where the roles connect to; ``direct``: where the books are read."""

    def __init__(self, folder: Path, url: str, direct: str = "", worker_url: str = "") -> None:
        settings = {"database_url": url, "worker__lease": "3 s"}
        self.folder, self.account, self.sent = folder, Account(), 0
        self.intake = Intake(folder / "home", settings=settings)
        stubbed = (sys.executable, "-m", "tests.region.stubbed", "0.02")
        worker = settings | {"database_url": worker_url or url}
        self.worker = Service(folder / "home", ("worker",), settings=worker, command=stubbed)
        self.worker.log = folder / "worker.log"
        for one in (self.intake, self.worker):
            one.database_url = direct or url

    def start(self) -> "Site":
        self.intake.start()
        self.worker.start()
        return self

    @contextmanager
    def sending(self, count: int) -> Iterator[int]:
        """Modalities send so many films meanwhile; gives the number of the first."""
        films = [film(number) for number in range(self.sent + 1, self.sent + count + 1)]
        self.sent += count
        modalities = Modalities(self.intake.dimse_port, films, self.account, self.folder)
        with modalities.at_work():
            yield films_before(self.sent, count)
        assert not modalities.unsent, f"never acknowledged: {len(modalities.unsent)}; {dict(self.account.answers)}"

    @property
    def acknowledged(self) -> int:
        return len(self.account.acknowledged)

    @property
    def refused(self) -> int:
        return sum(count for answer, count in self.account.answers.items() if answer.startswith("A7"))

    def wait_sent(self, more: int) -> None:
        """Until so many more are acknowledged."""
        wanted = self.acknowledged + more
        until(lambda: self.acknowledged >= wanted, 120, f"{more} films acknowledged")

    def wait_refused(self, more: int = 3) -> None:
        """Until so many more answers were a refusal."""
        wanted = self.refused + more
        until(lambda: self.refused >= wanted, REFUSED_WITHIN, "films refused")

    def time_back(self) -> float:
        """Seconds until the next film is acknowledged."""
        began = time.monotonic()
        self.wait_sent(1)
        return time.monotonic() - began

    def books(self, story: Story) -> Story:
        """What is there in the end."""
        until(lambda: self._assessed() >= self.sent, ASSESSED_WITHIN, "all assessed", every=0.1)
        rows = self.intake.rows("SELECT sop_instance_uid FROM instance")
        found = self.account.check(self.intake)
        story.sent, story.acknowledged, story.stored = self.sent, self.acknowledged, len(rows)
        story.results = len(self.intake.rows("SELECT DISTINCT study_instance_uid FROM result"))
        story.refused, story.lost = self.refused, len(found.lost)
        story.doubled = sum(len(self.intake.rows(query)) for query in DOUBLED)
        story.wrong += [f"answered {answer}" for answer in self.account.answers if answer not in ALLOWED]
        if not found.nothing:
            story.wrong.append(found.counted())
        done = self.intake.triage("verify")
        story.wrong += [] if done.returncode == 0 else [(done.stdout + done.stderr)[-300:]]
        return story

    def _assessed(self) -> int:
        level = "SELECT count(*) AS n FROM study WHERE level IN ('flagged', 'not_flagged', 'stat')"
        return int(self.intake.rows(level)[0]["n"])

    def close(self) -> None:
        self.intake.kill()
        self.worker.kill()


def films_before(sent: int, count: int) -> int:
    """The number of the first of the last ``count``."""
    return sent - count + 1


@contextmanager
def site(folder: Path, url: str, **more: str) -> Iterator[Site]:
    """Started, and ended whatever happens."""
    one = Site(folder, url, **more)
    try:
        yield one.start()
    finally:
        one.close()
