"""Studies with real pixels behind them: what the preview and the study page need."""

from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from tests.films import digest
from tests.unit.web.scene import MODEL, POLICY
from triage.archive.memory import MemoryArchive
from triage.database.memory import MemoryDatabase
from triage.domain.assessment import InstanceExcuse, InstanceScore, Outcome, combine
from triage.domain.instance import Instance
from triage.domain.reason import Reason
from triage.domain.study import Study, begin, with_image, with_outcome
from triage.imaging.header import read_header


class Room:
    """A database and an archive; films go in as they do on receipt, outcomes as the worker writes them."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.archive = MemoryArchive()

    def films(self, digest: str) -> BinaryIO:
        return self.archive.open(digest)

    def store(self, film: bytes, at: datetime) -> Instance:
        """Keep and index a film; its study begins, or gets one image more."""
        header = read_header(BytesIO(film))
        instance = Instance(
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=header.study_instance_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            digest=digest(film),
            size_bytes=len(film),
            calling_ae_title="MODALITY",
            received_at=at,
        )
        self.archive.objects[instance.digest] = film
        uid = header.study_instance_uid
        with self.database.write() as tx:
            study = tx.study(uid)
            tx.put_study(with_image(study, POLICY) if study else begin(uid, header.facts, at, POLICY))
            tx.add_instance(instance)
        return instance

    def decide(self, *instances: Instance, probability: float | None = None, reason: Reason | None = None) -> Study:
        """The network's word on these images of one study: the first gets ``probability``, the others ``reason``."""
        scores = [
            InstanceScore(sop_instance_uid=one.sop_instance_uid, digest=one.digest, probability=probability)
            for one in instances[:1]
            if probability is not None
        ]
        excuses = [
            InstanceExcuse(sop_instance_uid=one.sop_instance_uid, digest=one.digest, reason=reason or Reason.LATERAL_VIEW)
            for one in instances[len(scores) :]
        ]
        uid, at = instances[0].study_instance_uid, instances[-1].received_at
        outcome: Outcome = combine(uid, MODEL, scores, excuses, at)
        with self.database.write() as tx:
            study = tx.study(uid)
            assert study is not None
            study = with_outcome(study, outcome, POLICY)
            tx.add_outcome(outcome)
            tx.put_study(study)
        return study
