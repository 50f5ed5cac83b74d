"""A small site in memory: archive, database, clock, and the steps bound to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any

from tests import films
from tests.unit.domain.make import POLICY, Clock
from triage.archive.memory import MemoryArchive
from triage.database.memory import MemoryDatabase, MemoryTransaction
from triage.domain.errors import BundleError, IndexUnavailable
from triage.domain.instance import Instance
from triage.domain.jobs import RetryPolicy
from triage.domain.study import Study
from triage.domain.worklist import ranked
from triage.imaging.header import read_header
from triage.inference.memory import MemoryClassifier
from triage.sandbox.memory import MemoryFilms
from triage.services.ports import Archive, Classifier, Database, Films
from triage.services.receive import Claim, Reception
from triage.services.reconcile import Reconciliation, reconcile
from triage.services.verify import verify
from triage.worker import Worker

RETRIES = RetryPolicy(max_attempts=3, lease=timedelta(seconds=15))


class MovingDatabase(MemoryDatabase):
    """The twin, which can be told not to answer writers for a while."""

    down = False

    @contextmanager
    def write(self) -> Iterator[MemoryTransaction]:
        if self.down:
            raise IndexUnavailable("the database is away")
        with super().write() as transaction:
            yield transaction


FRAGMENT = 1000
"""Bytes of a fragment, as small films go."""


class World:
    """``store`` is what a modality's C-STORE does, ``step`` what the worker does once."""

    def __init__(self, archive: Archive | None = None, database: Database | None = None) -> None:
        self.clock = Clock()
        self.archive = archive or MemoryArchive()
        self.database = database or MovingDatabase(RETRIES)
        self.classifier: Classifier | BundleError = MemoryClassifier()
        self.films: Films = MemoryFilms()
        self.worker = Worker(
            name="w",
            database=self.database,
            archive=self.archive,
            films=self.films,
            load=self.load,
            head_starts=POLICY,
            min_age_years=16,
            clock=self.clock,
        )

    def load(self) -> Classifier:
        if isinstance(self.classifier, BundleError):
            raise self.classifier
        return self.classifier

    def store(self, film: bytes, **claims: Any) -> Instance | None:
        """Receive a film. ``claims`` replace what the sender says of it, or ``max_object_bytes``."""
        limit = claims.pop("max_object_bytes", 1 << 28)
        came_back = claims.pop("came_back", lambda calling_ae_title: None)
        claim, data_set = self.claimed(film, **claims)
        reception = Reception(
            claim,
            archive=self.archive,
            database=self.database,
            head_starts=POLICY,
            max_object_bytes=limit,
            clock=self.clock,
            came_back=came_back,
        )
        try:
            for at in range(0, len(data_set), FRAGMENT):
                reception.write(memoryview(data_set)[at : at + FRAGMENT])
            return reception.finish()
        finally:
            reception.abandon()

    @staticmethod
    def claimed(film: bytes, **claims: Any) -> tuple[Claim, bytes]:
        """The film as a C-STORE brings it; where the header cannot be read, the claims must name the UIDs."""
        meta, data_set = films.split(film)
        if not {"sop_class_uid", "sop_instance_uid"} <= set(claims):
            header = read_header(BytesIO(film))
            claims = {"sop_class_uid": header.sop_class_uid, "sop_instance_uid": header.sop_instance_uid} | claims
        data_set = claims.pop("data_set", data_set)
        return Claim(**{"calling_ae_title": "MODALITY", "file_meta": meta} | claims), data_set

    def reconcile(self, quiet: timedelta = timedelta(0)) -> Reconciliation:
        return reconcile(self.archive, self.database, POLICY, self.clock, quiet)

    def gaps(self) -> dict[str, list[str]]:
        """What verification finds amiss, by kind."""
        found: dict[str, list[str]] = {}
        for gap in verify(self.archive, self.database).gaps:
            found.setdefault(gap.what, []).append(gap.subject)
        return found

    def step(self) -> bool:
        return self.worker.step()

    def counts(self) -> tuple[int, int, int, int]:
        """(kept, set aside, unfinished, indexed)."""
        with self.database.read() as tx:
            indexed = len(list(tx.all_instances()))
        return len([*self.archive.digests()]), len([*self.archive.digests_aside()]), len(self.archive.leftovers()), indexed

    def study(self, uid: str = "1.2.3") -> Study:
        with self.database.read() as tx:
            found = tx.study(uid)
        assert found is not None
        return found

    def list(self) -> list[str]:
        """UIDs of the unread studies in reading order."""
        with self.database.read() as tx:
            return [item.study.study_instance_uid for item in ranked(tx.worklist())]
