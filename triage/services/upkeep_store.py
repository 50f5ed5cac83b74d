"""What upkeep needs of the rows: what was set aside and decided on, which films were read again, and what was found."""

from datetime import datetime
from typing import Protocol

from triage.domain.fault import Checked, Fault, Upkeep
from triage.domain.instance import Decision, QuarantinedObject


class UpkeepStore(Protocol):
    """Part of a transaction (:class:`triage.services.ports.Transaction`)."""

    def image_sets(self) -> set[tuple[str, str]]:
        """Of every outcome the study and the set of images that it considered (:func:`triage.domain.assessment.image_set`)."""

    def add_quarantined(self, quarantined: QuarantinedObject) -> bool:
        """Account for an object that was set aside; ``False``: it has an undecided row already, which stays."""

    def quarantined(self, decided: bool = False) -> list[QuarantinedObject]:
        """Every object that lies set aside, first received first; ``decided``: those too on which a person decided."""

    def set_aside_of(self, study_instance_uid: str) -> list[QuarantinedObject]:
        """Those that lie set aside and whose header names this study."""

    def set_aside_under(self, sop_instance_uid: str) -> list[QuarantinedObject]:
        """Those that lie set aside and whose header has this SOP Instance UID."""

    def quarantined_object(self, digest: str) -> QuarantinedObject | None:
        """The row of an object that was set aside once, whatever was decided on it; ``None``: there is none."""

    def decide(self, digest: str, decision: Decision, at: datetime, by: str, because: str) -> bool:
        """What a person decided on an object; ``False``: none of that digest is undecided."""

    def digests(self, prefix: str) -> set[str]:
        """Digests of indexed films that begin so: a part of the archive, so that nobody has to hold all of them."""

    def longest_unchecked(self, limit: int) -> list[Checked]:
        """Films that have not been compared with their digest for longest; that they came counts as the first time."""

    def faulty(self, study_instance_uid: str | None = None) -> list[Checked]:
        """Films known to be damaged or missing: a study's, or all, by study and digest."""

    def note_check(self, digest: str, at: datetime, fault: Fault | None) -> bool:
        """What reading a film again found; ``False``: it is not indexed (any more)."""

    def upkeep(self) -> Upkeep:
        """How the archive stands, by its rows."""
