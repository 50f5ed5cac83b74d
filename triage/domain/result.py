"""What leaves the house of a study: the network's word on it as it stood, with what it rests on. A later one supersedes it."""

from dataclasses import dataclass
from datetime import datetime

from triage.domain.assessment import Model
from triage.domain.identifiers import derived_uid
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultImage:
    """One image that the result rests on: scored (``probability``), or excused (``reason``), or neither: not looked at."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    digest: str
    probability: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The network's word on a study. Never *pending*, never a person's STAT.

    ``number``: 1 for the study's first, one more for each that supersedes it. ``probability`` is a number exactly where
    ``level`` is flagged or not flagged, ``reason`` exactly where it is not assessed or out of scope. ``model``: none where no
    network was asked. ``facts``: the study as the list had it then. ``decided_at``: aware, UTC.
    """

    study_instance_uid: str
    number: int
    level: Level
    decided_at: datetime
    facts: Facts
    images: tuple[ResultImage, ...]
    probability: float | None = None
    reason: Reason | None = None
    model: Model | None = None

    def uid(self, purpose: str) -> str:
        """A UID for something made of this result, always the same: what is made again is the same object (PS3.5 B.2)."""
        return derived_uid(purpose, self.study_instance_uid, str(self.number), self.decided_at.isoformat(), self._said)

    @property
    def _said(self) -> str:
        bundle = self.model.bundle_id if self.model else ""
        images = ",".join(sorted(image.digest for image in self.images))
        return f"{self.level.value} {self.reason.code if self.reason else ''} {self.probability} {bundle} {images}"
