"""What the steps need of the world. Each Protocol has a real adapter and a true in-memory twin, under one contract suite."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Protocol

from triage.domain.assessment import Model, Outcome
from triage.domain.audit import Action, AuditEntry, AuditFilter, AuditHead, AuditRecord
from triage.domain.fault import Fault
from triage.domain.instance import Instance, Sender
from triage.domain.jobs import RetryPolicy
from triage.domain.opinion import Opinion
from triage.domain.query import Attributes
from triage.domain.reading import FinishedReading
from triage.domain.selection import RowFacts, Selection
from triage.domain.stray import Stray
from triage.domain.study import Study
from triage.services.account_store import AccountStore
from triage.services.analytics_store import AnalyticsStore
from triage.services.commitment_store import CommitmentStore
from triage.services.delivery_store import DeliveryStore
from triage.services.figure_store import HasFigures
from triage.services.job_queue import JobQueue
from triage.services.lease_store import HasLeases
from triage.services.order_store import HasOrders
from triage.services.query_store import Queried
from triage.services.retention_store import HasRetention
from triage.services.role_store import HasRoles
from triage.services.upkeep_store import UpkeepStore

if TYPE_CHECKING:  # most roles need neither numpy nor pydicom, and start sooner without
    import numpy as np
    from numpy.typing import NDArray

    from triage.imaging.eligibility import Intended
    from triage.imaging.prepare import Prepared
    from triage.imaging.spec import PreprocessingSpec

Clock = Callable[[], datetime]
"""Gives the present time, aware, UTC."""


class Incoming(Protocol):
    """An object on its way into the archive; nothing of it counts until :meth:`keep` has returned."""

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes of the data set.

        Raises:
            StorageFull: the disk is full or failed.
        """

    def sync(self) -> str:
        """Make what was written durable; returns the digest of the data set bytes.

        Raises:
            StorageFull: the disk is full or failed.
        """

    def open(self) -> BinaryIO:
        """What was written so far, from the preamble on, for reading."""

    def keep(self) -> str | None:
        """Give the object its final name, durably. Kept already under the same digest: the first stays as it is.

        Returns the name under which damaged bytes that had its place lie set aside now, to be accounted for; ``None``: none.

        Raises:
            StorageFull: the disk is full or failed.
        """

    def quarantine(self) -> None:
        """As :meth:`keep`, among the objects that are set aside.

        Raises:
            StorageFull: the disk is full or failed.
        """

    def discard(self) -> None:
        """Leave nothing behind. Safe to call at any time; does nothing once kept or quarantined."""


class Archive(Protocol):
    """Durable objects, each named by the digest of its data set."""

    def receive(self, file_meta: bytes, expected_bytes: int) -> Incoming:
        """Begin an object: preamble and file meta information first.

        Raises:
            StorageFull: the object would take the disk below its floor, or the disk has failed before.
        """

    def open(self, digest: str) -> BinaryIO:
        """A kept object from its preamble on.

        Raises:
            FileNotFoundError: not kept.
        """

    def holds(self, digest: str) -> bool:
        """Whether an object of that name is kept (its bytes are not read)."""

    def is_intact(self, digest: str) -> bool:
        """Whether the kept bytes, read from the disk, still have their digest; ``False``, too, where that cannot be told."""

    def fault(self, digest: str) -> Fault | None:
        """What is wrong with a kept object, read anew from its disk; ``None``: nothing.

        Raises:
            ArchiveAway: the disk does not answer as a disk does; nothing is known of the object.
        """

    def digests(self, prefix: str = "") -> Iterator[str]:
        """Names of the kept objects, in order; ``prefix`` of two digits: only those that begin so."""

    def digests_aside(self) -> Iterator[str]:
        """Names of all objects that were set aside."""

    def leftovers(self) -> list[str]:
        """Names of objects whose receipt was never finished."""

    def sweep(self, quiet: timedelta = timedelta(0)) -> list[str]:
        """Remove leftovers that nothing was written to for so long; returns their names. 0: only while nothing is received."""

    def is_quiet(self, digest: str, quiet: timedelta) -> bool:
        """Whether an object, kept or set aside, was written so long ago, by the archive's own clock: whoever received it has
        its row by then, or never will."""

    def set_aside(self, digest: str) -> None:
        """Move a kept object to the quarantine, durably."""

    def displace(self, digest: str) -> str:
        """Move a kept object whose bytes are not what its name says to the quarantine, durably; returns its name there: the
        digest of what it holds."""

    def take_back(self, digest: str) -> None:
        """Move an object that was set aside to its place among the kept ones, durably; none of that name: nothing."""

    def open_aside(self, digest: str) -> BinaryIO:
        """An object that was set aside, from its preamble on.

        Raises:
            FileNotFoundError: none of that name.
        """

    def is_intact_aside(self, digest: str) -> bool:
        """Whether an object that was set aside is a film whose bytes have the digest that names it."""

    def strays(self) -> list[Stray]:
        """Everything that lies in the archive and is no object, no receipt and no lock."""

    def settle(self, stray: Stray) -> str | None:
        """Give a stray file the place that its content asks for, durably: a misplaced object its own, if that is free, anything
        else the quarantine; returns its name there. ``None``: it is no file, or gone, and is left alone."""

    def settling(self) -> AbstractContextManager[None]:
        """Nobody else moves objects between the kept ones and the quarantine meanwhile, in whatever process.

        Raises:
            ArchiveAway: somebody else does for long.
        """

    def drop_aside(self, digest: str) -> None:
        """Remove an object that was set aside, durably; none of that name: nothing."""

    def free_bytes(self) -> int:
        """Room above the floor; 0 or less: full."""

    def failure(self) -> str | None:
        """Why the archive refuses everything until it is opened anew (a sync failed), or ``None``."""


class Transaction(UpkeepStore, Queried, HasOrders, HasRetention, HasLeases, HasRoles, HasFigures, Protocol):
    """All changes or none."""

    @property
    def jobs(self) -> JobQueue:
        """The queue, in this transaction."""

    def instance(self, sop_instance_uid: str) -> Instance | None:
        """The indexed instance, or ``None``."""

    def instances(self, study_instance_uid: str) -> list[Instance]:
        """A study's instances, first received first."""

    def all_instances(self) -> Iterator[Instance]:
        """Every indexed instance."""

    def senders(self) -> list[Sender]:
        """What came in by calling AE title, in the order of the titles."""

    def study(self, study_instance_uid: str) -> Study | None:
        """The study, or ``None``."""

    def worklist(self, limit: int | None = None, include_read: bool = False) -> list[Study]:
        """Studies in reading order (:func:`triage.domain.worklist.order`)."""

    def listed(self, selection: Selection, reader: str | None, now: datetime, limit: int, offset: int = 0) -> list[Study]:
        """A page of what ``selection`` shows ``reader`` now (:mod:`triage.domain.selection`)."""

    def count_listed(self, selection: Selection, reader: str | None, now: datetime) -> int:
        """How many studies it shows in all."""

    def places(self, studies: Sequence[Study]) -> dict[str, int]:
        """The place of each unread one of ``studies`` in the whole list, 1 first, by Study Instance UID."""

    def row_facts(self, studies: Sequence[Study]) -> dict[str, RowFacts]:
        """What rows show beside the studies' own values, by Study Instance UID."""

    def studies_of_patient(self, patient_id: str, issuer: str | None, limit: int | None = None) -> list[Study]:
        """Studies of exactly this Patient ID and Issuer of Patient ID, the one that arrived last first.

        No issuer is an issuer of its own: the same number under another one is another patient.
        """

    def claims_of(self, reader: str) -> list[Study]:
        """Studies that stand as claimed by ``reader``, lapsed leases too, by UID."""

    def pending_studies(self) -> list[Study]:
        """Studies at network level *pending*."""

    def counts_by_level(self) -> dict[str, int]:
        """Unread studies by level."""

    def revision(self) -> int:
        """Raised by every visible change of the list, in the same transaction."""

    def put_study(self, study: Study) -> None:
        """Insert or replace a study; raises the revision."""

    def add_instance(self, instance: Instance, attributes: Attributes | None = None) -> None:
        """Index an instance of a study that was put before. ``attributes`` of its header; ``None``: they are read later."""

    def remove_instance(self, sop_instance_uid: str) -> None:
        """Take an instance out of the index; its study stays."""

    def add_outcome(self, outcome: Outcome) -> bool:
        """Write an outcome to the study's history; ``False``: this image set and model had one already."""

    def outcomes(self, study_instance_uid: str) -> list[Outcome]:
        """A study's history, oldest first."""

    def add_reading(self, reading: FinishedReading) -> None:
        """Write a finished reading to the study's history, where it stays."""

    def take_reading_back(self, study_instance_uid: str, at: datetime, by: str, why: str | None = None) -> None:
        """Mark the study's last reading as taken back; one that is so already, or none at all, stays as it is."""

    def readings(self, study_instance_uid: str) -> list[FinishedReading]:
        """Who read the study, oldest first."""

    def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the audit chain; there is no way to change or remove one.

        Raises:
            AuditBroken: the end of the chain was tampered with.
        """

    def audit(self, after: int = 0, limit: int | None = None) -> Iterator[AuditRecord]:
        """The audit's records behind number ``after``, in their order."""

    def audit_newest(self, asked: AuditFilter, before: int | None = None, limit: int | None = None) -> list[AuditRecord]:
        """The records that were asked for, newest first; ``before``: only those of a lower number."""

    def latest_audit(self, action: Action) -> AuditRecord | None:
        """The last record of an action, or ``None``."""

    def latest_audit_about(self, subject: str, action: Action, actor: str, details: str) -> AuditRecord | None:
        """The last record of this subject, action, actor and details (as stored), or ``None``."""

    def audit_head(self) -> AuditHead | None:
        """What is noted of the chain's end; ``None``: the note is gone."""

    @property
    def accounts(self) -> AccountStore:
        """Accounts and sessions, in this transaction."""

    @property
    def analytics(self) -> AnalyticsStore:
        """Questions about waiting, volume and agreement, in this transaction."""

    @property
    def commitments(self) -> CommitmentStore:
        """Requests for storage commitment, in this transaction."""

    @property
    def deliveries(self) -> DeliveryStore:
        """Results, and what becomes of each at each destination, in this transaction."""


class Database(Protocol):
    """Transactions; the one adapter for rows and queue."""

    @property
    def retry_policy(self) -> RetryPolicy:
        """Leases, attempts and backoff of the queue."""

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction that holds the write lock from its first moment (``BEGIN IMMEDIATE``); durable once left without error.

        Raises:
            IndexUnavailable: the lock or the commit was not to be had in time.
        """

    def read(self) -> AbstractContextManager[Transaction]:
        """A consistent snapshot; must not be written to.

        Raises:
            IndexUnavailable: the database does not answer.
        """


class AuditAnchor(Protocol):
    """Heads of the audit chain, noted apart from the database: what was cut off or written anew shows against them."""

    def heads(self) -> list[AuditHead]:
        """Everything noted, oldest first.

        Raises:
            AuditBroken: a line cannot be read.
        """

    def add(self, head: AuditHead, at: datetime) -> None:
        """Note a head, durably."""


class Films(Protocol):
    """Where received films are opened: parsed, examined by their tags, decoded, preprocessed. Thread-safe, one at a time."""

    def ready(self) -> bool:
        """Whether a film would be opened at once; ``False``: not yet. Does not wait.

        Raises:
            FilmsUnavailable: none can be opened at this moment; says why.
        """

    def prepare(self, stream: BinaryIO, spec: "PreprocessingSpec", intended: "Intended", within_seconds: float) -> "Prepared":
        """What becomes of a whole object, from its first byte wherever ``stream`` stands.

        Never raises for what a film holds or does: one that kills its decoder is *cannot decode*, one that takes longer than
        ``within_seconds`` is *timed out*; what its tags said before still stands. The tensor is made
        even where they exclude it.

        Raises:
            FilmsUnavailable: none can be opened at this moment.
            DeadlyFilm: what opens films died of this one; the job's attempts are the last net.
        """


class Classifier(Protocol):
    """A network and its image gate, warm: tensor in, opinion or calibrated probability of *abnormal* out."""

    @property
    def model(self) -> Model:
        """Its pedigree and operating point."""

    @property
    def spec(self) -> "PreprocessingSpec":
        """How films must be preprocessed for it."""

    def opinion(self, tensor: "NDArray[np.float32]") -> Opinion | None:
        """What the picture looks like, by the image gate, for one tensor of shape (H, W, 1); ``None``: there is no gate.

        Raises:
            InferenceError: the gate gave no finite number.
        """

    def probability(self, tensor: "NDArray[np.float32]") -> float:
        """The calibrated probability of *abnormal* for one tensor of shape (H, W, 1).

        Raises:
            InferenceError: the network gave no finite number.
        """
