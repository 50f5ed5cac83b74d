"""What was acknowledged against what is there: bytes by digest, rows by UID."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.sender import SUCCESS, Answer, Film
from tests.integration.objects import digest_of
from tests.integration.service import Service
from triage.services.reconcile import ADOPTED


@dataclass(kw_only=True)
class Found:
    """What is not as promised, each a list of UIDs or digests; all empty: nothing.

    ``lost``: acknowledged, and not wholly there. ``ghosts``: a row without its bytes. ``torn``: a kept file with other bytes
    than its name says. ``leaked``: left in ``incoming/``. ``replaced``: another film than the one that was acknowledged.
    ``adopted``: acknowledged, and its row had to be made again from the file, as reconciliation does: the row was lost.
    """

    lost: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not any(self.counts())

    def counts(self) -> list[int]:
        """How many of each, in the order of :data:`HEADINGS`."""
        return [len(getattr(self, name)) for name in self.__dataclass_fields__]

    def add(self, other: "Found") -> None:
        for name in self.__dataclass_fields__:
            mine = getattr(self, name)
            mine.extend(one for one in getattr(other, name) if one not in mine)

    def counted(self) -> str:
        """What there is, in words; empty: nothing."""
        return ", ".join(
            f"{name} {count}" for name, count in zip(self.__dataclass_fields__, self.counts(), strict=True) if count
        )


HEADINGS = "lost | ghosts | torn | left over | replaced | rows made again"


class Account:
    """What senders were told; they may be several threads."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, str] = {}
        self.answers: Counter[str] = Counter()
        self.replaced: list[str] = []
        self._lock = threading.Lock()

    def note(self, film: Film, answer: Answer) -> Answer:
        """Write down the answer to a film, and pass it on."""
        with self._lock:
            self.answers[f"{answer:04X}" if isinstance(answer, int) else answer] += 1
            if answer == SUCCESS and self.acknowledged.setdefault(film.uid, film.digest) != film.digest:
                self.replaced.append(film.uid)  # two films acknowledged under one UID: one of them must be lost
        return answer

    def check(self, intake: Service, only: Iterable[str] | None = None) -> Found:
        """Compare with the home of an intake that runs and has nothing to do. ``only``: read the bytes of these UIDs alone."""
        rows = {row["sop_instance_uid"]: row["digest"] for row in intake.rows("SELECT * FROM instance")}
        listed = {
            row["sop_instance_uid"]
            for row in intake.rows("SELECT sop_instance_uid FROM instance JOIN study USING (study_instance_uid)")
        }
        uids = set(self.acknowledged) | set(rows) if only is None else set(only)
        there = {uid for uid in uids & listed if is_whole(intake.home, rows[uid])}
        acknowledged = uids & set(self.acknowledged)
        return Found(
            lost=sorted(uid for uid in acknowledged if uid not in there or rows[uid] != self.acknowledged[uid]),
            ghosts=sorted(uids & set(rows) - there),
            torn=torn(intake.home) if only is None else [],
            leaked=[] if intake.wait_until_empty() else intake.leftovers(),
            replaced=list(self.replaced),
        )

    def adopted(self, intake: Service, uids: Iterable[str]) -> Found:
        """Rows that were lost, if nothing was sent again since the restart."""
        rows = intake.rows("SELECT sop_instance_uid FROM instance WHERE calling_ae_title = ?", ADOPTED)
        again = {row["sop_instance_uid"] for row in rows}
        return Found(adopted=sorted(again & set(uids) & set(self.acknowledged)))


def kept(home: Path) -> Iterable[Path]:
    return (home / "instances/objects").glob("*/*.dcm")


def is_whole(home: Path, digest: str) -> bool:
    path = home / f"instances/objects/{digest[:2]}/{digest}.dcm"
    return path.is_file() and _digest(path) == digest


def torn(home: Path) -> list[str]:
    """Kept files that are not what their names say."""
    return sorted(path.stem for path in kept(home) if _digest(path) != path.stem)


def _digest(path: Path) -> str:
    data = path.read_bytes()
    return digest_of(data) if data[128:132] == b"DICM" else ""
