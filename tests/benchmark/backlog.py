"""A home with very many unread studies, at every level, written through the real tables."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from tests.unit.web import scene
from triage.bootstrap import open_site
from triage.config import Settings
from triage.database import tables
from triage.database.engine import SqlDatabase
from triage.database.worklist import _row as study_row
from triage.domain.instance import Facts
from triage.domain.reason import Reason
from triage.domain.study import Study, begin, with_outcome

ROOT = "1.2.826.0.1.3680043.10.511.7"
DAYS = 60
BATCH = 5000
SHARES = {"flagged": 18, "not flagged": 70, "not assessed": 4, "out of scope": 6, "pending": 2}
FAMILIES = (
    "Okafor",
    "Lindqvist",
    "Haddad",
    "Moreau",
    "Tanaka",
    "Silva",
    "Novak",
    "Brandt",
    "Ionescu",
    "Weaver",
    "Ågren",
    "Castillo",
)
GIVEN = ("Adaeze", "Ebba", "Karim", "Lucie", "Hiro", "Bruna", "Petr", "Jutta", "Radu", "Ivy", "Åsa", "Diego")
EXAMS = ("Chest PA", "Chest AP portable", "Chest 2 views", "Thorax", "Chest ICU")


def uid_of(number: int) -> str:
    """The study's UID by its number."""
    return f"{ROOT}.{number}"


def facts_of(number: int) -> Facts:
    """A patient for the study; every third has been here before."""
    dice = random.Random(number)
    person = number - number % 3
    return Facts(
        patient_id=f"MRN-{person:07d}",
        patient_name=f"{FAMILIES[person % 12]}^{GIVEN[person // 12 % 12]}^{person:x}",
        patient_birth_date=f"19{30 + person % 70:02d}0{1 + person % 9}1{person % 10}",
        patient_sex="FM"[person % 2],
        accession_number=f"ACC{number:08d}",
        study_description=dice.choice(EXAMS),
        modality=dice.choice(("DX", "CR")),
        view=dice.choice(("PA", "AP")),
    )


def study_of(number: int, arrived_at: datetime) -> Study:
    """A study at one of the levels, by the domain's own steps."""
    dice = random.Random(-number)
    uid, later = uid_of(number), arrived_at + timedelta(seconds=2)
    study = begin(uid, facts_of(number), arrived_at, scene.POLICY)
    kind = dice.choices(tuple(SHARES), tuple(SHARES.values()))[0]
    if kind == "pending":
        return study
    if kind in ("not assessed", "out of scope"):
        out = kind == "out of scope"
        reason = Reason.NOT_A_CHEST_FILM if out else Reason.CANNOT_DECODE
        return with_outcome(study, scene.excused(uid, reason, later, out_of_scope=out), scene.POLICY)
    number_said = dice.uniform(0.5, 1) if kind == "flagged" else dice.uniform(0, 0.49)
    return with_outcome(study, scene.scored(uid, number_said, later), scene.POLICY)


def build(home: Path, count: int) -> SqlDatabase:
    """A home of ``count`` unread studies with an image and a finished job each, arrived evenly over the last two months."""
    database = open_site(Settings(home=home), create=True).database
    start, step = datetime.now(UTC) - timedelta(days=DAYS), timedelta(days=DAYS) / count
    for first in range(1, count + 1, BATCH):
        studies = [study_of(number, start + number * step) for number in range(first, min(first + BATCH, count + 1))]
        with database.write() as tx:
            for table, rows in _rows(studies):
                tx.connection.execute(insert(table), rows)
    for place in range(1, 6):
        scene.make_stat(database, uid_of(place * count // 7))
    scene.put_roles(database, scene.roles(datetime.now(UTC)))
    return database


def _rows(studies: list[Study]) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    yield tables.study, [study_row(study) for study in studies]
    uids = [(study.study_instance_uid, study.arrived_at, study.assessed_at is None) for study in studies]
    yield tables.series, [{"study_instance_uid": uid, "series_instance_uid": f"{uid}.9"} for uid, _, _ in uids]
    yield (
        tables.instance,
        [
            {
                "sop_instance_uid": f"{uid}.1",
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
                "series_instance_uid": f"{uid}.9",
                "study_instance_uid": uid,
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "digest": sha256(uid.encode()).hexdigest(),
                "size_bytes": 15_000_000,
                "calling_ae_title": "MODALITY",
                "received_at": at,
            }
            for uid, at, _ in uids
        ],
    )
    yield (
        tables.job,
        [
            {
                "study_instance_uid": uid,
                "state": "waiting" if pending else "done",
                "attempts": 0,
                "token": 1,
                "generation": 1,
                "not_before": at,
                "enqueued_at": at,
            }
            for uid, at, pending in uids
        ],
    )
