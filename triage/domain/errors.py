"""Errors that carry their fate: what the sender is told, whether trying again helps, where it surfaces."""

from datetime import datetime
from typing import ClassVar

from triage.domain.reason import Reason


class TriageError(Exception):
    """Base of every error this project raises on purpose. The message holds no patient data: it may be logged."""

    status: ClassVar[int] = 0xC1FF
    """The C-STORE status (PS3.4 B.2.3, PS3.7 C) when this error refuses a film."""
    comment: ClassVar[str] = "Unexpected failure; the administrator is alarmed"
    """ErrorComment (0000,0902), at most 64 characters, no patient data."""
    alarm: ClassVar[bool] = False
    """Whether an administrator has to act."""
    retry: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""


class StorageFull(TriageError):
    """No room left, or the disk failed: the film is not kept."""

    status, comment, alarm, retry = 0xA700, "Refused: out of resources, storage", True, True


class ArchiveAway(StorageFull):
    """The disk does not answer as a disk does: of no film is anything known, and none is taken for lost."""


class DecisionRefused(TriageError):
    """An object that was set aside cannot be released or discarded as it was asked; the message has the remedy."""


class IndexUnavailable(TriageError):
    """The database did not take the row in time: the film is not acknowledged."""

    status, comment, alarm, retry = 0xA701, "Refused: out of resources, index", True, True


class DataSetMismatch(TriageError):
    """The data set contradicts the command set, or a kept instance of the same UID: quarantined, never replaced."""

    status, comment = 0xA900, "Data set does not match SOP class or stored instance"


class CannotUnderstand(TriageError):
    """The bytes are not a data set that can be read, or an identifier is malformed."""

    status, comment = 0xC100, "Cannot understand the data set"


class MissingIdentifier(CannotUnderstand):
    """A UID that the index needs is absent or empty."""

    status, comment = 0xC101, "Cannot understand: an identifier is missing"


class ClassNotNegotiated(TriageError):
    """The command names another SOP class than the presentation context on which it came (PS3.7 C.4.2)."""

    status, comment = 0x0122, "Refused: SOP class not that of the presentation context"


class NoFilm(TriageError):
    """A report or presentation state of somebody else: nothing of it is kept here."""

    status, comment = 0x0122, "Refused: SOP class not supported, only our own come back"


class AssessmentError(TriageError):
    """A film that was received and cannot be assessed; the reason is what the list shows."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or reason.code)
        self.reason = reason


class NotEligible(AssessmentError):
    """Not a film of the intended population and view."""


class PixelError(AssessmentError):
    """The pixel data cannot be decoded or are not a usable image."""


class InferenceError(AssessmentError):
    """The network gave no usable number."""


class FilmsUnavailable(TriageError):
    """The process in which films are opened does not start: no film is at fault."""

    alarm, retry = True, True


class DeadlyFilm(TriageError):
    """Processes that open films died while they had this one, and one lives that had another: the attempt counts."""


class BundleError(TriageError):
    """A model bundle that must not be used; the one in use stays."""

    alarm = True


class ConfigError(TriageError):
    """The configuration cannot be used: the service does not start (exit code 78)."""


class DatabaseOutdated(ConfigError):
    """The database schema is not the one this version needs."""


class UnknownStudy(TriageError):
    """No study has that UID."""


class ReadingRefused(TriageError):
    """A step of reading that the study's present state does not allow; says who holds it since when, where somebody does.

    ``refusal``: which rule it was, for programs; ``verdict``: that of whoever has read it.
    """

    def __init__(
        self,
        sentence: str,
        refusal: str,
        holder: str | None = None,
        since: datetime | None = None,
        verdict: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.refusal = refusal
        self.holder = holder
        self.since = since
        self.verdict = verdict


class ReadingInvalid(TriageError):
    """What was given with a step of reading cannot be used; the message says what to give."""


class BackupError(TriageError):
    """A backup that cannot be made, or cannot be restored from; what there is stays as it is."""

    alarm = True


class AuditBroken(TriageError):
    """The audit chain does not hold."""

    alarm = True
