"""One received SOP Instance and the facts its header states about the study."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the list shows of a study, as its header says it; hostile text until escaped. Absent values are ``None``."""

    patient_id: str | None = None
    issuer_of_patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: str | None = None
    patient_sex: str | None = None
    patient_age: str | None = None
    accession_number: str | None = None
    study_description: str | None = None
    modality: str | None = None
    view: str | None = None


FACTS_BY_KEYWORD = {
    "PatientName": "patient_name",
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer_of_patient_id",
    "PatientBirthDate": "patient_birth_date",
    "PatientSex": "patient_sex",
    "PatientAge": "patient_age",
    "AccessionNumber": "accession_number",
    "StudyDescription": "study_description",
    "Modality": "modality",
}
"""Which attribute of a header each of :class:`Facts` is, but for the view, which is told by several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One received SOP Instance, already durable.

    ``digest`` is the SHA-256 of the data set bytes as received (without preamble and file meta information);
    ``received_at`` is this server's time, aware, UTC.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    digest: str
    size_bytes: int
    calling_ae_title: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What came in under one calling AE title."""

    calling_ae_title: str
    objects: int
    first_at: datetime
    last_at: datetime


SAME_PICTURE = "the same picture of the same patient is stored already, under another header"
"""A cause that leaves nothing unseen: what was looked at is the picture that was sent again."""
REPLACED = "a person had another object of its SOP Instance UID take its place"
"""A cause that is a decision already: this was the film of the study until then."""
DAMAGED = "the bytes were damaged; the film was sent again"
"""A cause that concerns no study any more: the film itself is in its place."""
SECOND_COPY = "a second copy of an object that is kept"
RETIRED = "its study was read, delivered and old enough to go"
"""A cause that is a decision already, of the retention's policy."""
_MARK_NOTHING = (SAME_PICTURE, REPLACED, DAMAGED, SECOND_COPY, RETIRED)


class Decision(StrEnum):
    """What a person decided on an object that was set aside. Values are stored."""

    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedObject:
    """An object that was set aside instead of indexed, and why; once decided, by whom, when and why.

    ``study_instance_uid``: the study that its header names; ``None``: nobody could read it. ``because`` is free text: it goes
    into no log and not into the audit.
    """

    digest: str
    sop_instance_uid: str | None
    study_instance_uid: str | None
    cause: str
    calling_ae_title: str
    received_at: datetime
    decision: Decision | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    because: str | None = None

    @property
    def marks(self) -> bool:
        """Whether the study that it names must say so."""
        return self.decision is None and self.cause not in _MARK_NOTHING
