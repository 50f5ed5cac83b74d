"""The readers' verdicts with their films, without identity: what a site can train on."""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from triage.domain.assessment import Assessment, InstanceScore
from triage.domain.errors import PixelError
from triage.domain.identifiers import digest_of
from triage.domain.reason import Reason
from triage.domain.study import Study
from triage.domain.verdict import NoLabel, label_of
from triage.imaging.deidentify import without_identity
from triage.imaging.elements import code
from triage.imaging.header import read_dataset
from triage.services.ports import Archive, Database

FILMS = "films"
"""The folder of the films, beside the table."""


class NoFilm(StrEnum):
    """Why a study with a label is left out all the same."""

    BEFORE = "read before the day asked for"
    NO_PATIENT = "no Patient ID: nobody could keep the patient out of two splits"
    NO_SCORE = "the assessment that the verdict is about is not in the history"
    MISSING = "its film is not in the archive"
    UNREADABLE = "its film cannot be read"
    BURNT_IN = "its film says that it has text burnt in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of ``verdicts.csv``; ``patient``, ``study`` and ``reader`` are keyed hashes, ``read_at`` a day."""

    file: str
    patient: str
    study: str
    label: str
    reader: str
    read_at: str
    probability: float
    model: str
    level: str


@dataclass(frozen=True, slots=True)
class Exported:
    """A row with its film: a Part 10 object, named by its own digest."""

    row: Row
    film: bytes


def export(
    archive: Archive,
    database: Database,
    salt: bytes,
    since: date | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Exported | NoLabel | NoFilm]:
    """For every study of the list its verdict and film, or why there is none; in the order of the studies' UIDs.

    ``salt`` is the site's own: with the same one a patient has the same key in every export. ``since``: the first day of
    reading (UTC) that counts.
    """
    with database.read() as transaction:
        studies = sorted(transaction.worklist(include_read=True), key=lambda study: study.study_instance_uid)
    for number, study in enumerate(studies, start=1):
        label = label_of(study)
        yield label if isinstance(label, NoLabel) else _exported(study, label, archive, database, salt, since)
        progress(number, len(studies))


def key_of(salt: bytes, role: str, value: str) -> str:
    """What stands for a value outside the site: HMAC-SHA-256 under the site's salt, 64 hexadecimal digits."""
    return hmac.digest(salt, f"{role}/{value}".encode(), "sha256").hex()


def _exported(
    study: Study, label: str, archive: Archive, database: Database, salt: bytes, since: date | None
) -> Exported | NoFilm:
    reading, patient = study.reading, study.facts.patient_id
    assert reading.verdict_at is not None  # a verdict without a time has no label
    assert study.probability is not None
    assert study.model is not None
    if since is not None and reading.verdict_at.date() < since:
        return NoFilm.BEFORE
    if not patient:
        return NoFilm.NO_PATIENT
    score = _decisive(study, database)
    if score is None:
        return NoFilm.NO_SCORE
    try:
        with archive.open(score.digest) as stream:
            whole = read_dataset(stream)
        if code(whole, "BurnedInAnnotation") == "YES":
            return NoFilm.BURNT_IN
        film = _encoded(without_identity(whole, key_of(salt, "film", score.sop_instance_uid)))
    except FileNotFoundError:
        return NoFilm.MISSING
    except PixelError:
        return NoFilm.UNREADABLE
    row = Row(
        file=f"{FILMS}/{digest_of(film)}.dcm",
        patient=key_of(salt, "patient", patient),
        study=key_of(salt, "study", study.study_instance_uid),
        label=label,
        reader=key_of(salt, "reader", reading.reader) if reading.reader else "",
        read_at=reading.verdict_at.date().isoformat(),
        probability=study.probability,
        model=study.model,
        level=study.network_level.value,
    )
    return Exported(row, film)


def _decisive(study: Study, database: Database) -> InstanceScore | None:
    """The film that the level rests on: the most suspicious one of the assessment that stands."""
    with database.read() as transaction:
        outcomes = transaction.outcomes(study.study_instance_uid)
    for outcome in reversed(outcomes):
        if isinstance(outcome, Assessment) and (outcome.model.label, outcome.probability) == (study.model, study.probability):
            return max(outcome.scores, key=lambda score: score.probability)
    return None


def _encoded(dataset: Dataset) -> bytes:
    stream = BytesIO()
    try:
        dcmwrite(stream, dataset, enforce_file_format=True)
    except Exception as error:  # values that no encoder takes make pydicom raise nearly any type
        raise PixelError(Reason.CANNOT_DECODE, f"cannot be written again: {type(error).__name__}") from None
    return stream.getvalue()
