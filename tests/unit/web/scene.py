"""A hospital's afternoon for the page tests: studies at every level and roles that are well or not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from triage.database.memory import MemoryDatabase
from triage.domain.assessment import InstanceExcuse, InstanceScore, Model, NotAssessed, Outcome, combine
from triage.domain.instance import Facts, Instance
from triage.domain.level import HeadStarts
from triage.domain.reason import Reason
from triage.domain.role import RoleStatus
from triage.domain.study import Reading, ReadingState, Study, begin, placed, with_outcome
from triage.services.ports import Database
from triage.web.vitals import EXPECTED_ROLES

POLICY = HeadStarts()
MODEL = Model(name="gap6", version="1.0.0", bundle_id="5f2c81d9" * 8, spec_id="s" * 16, threshold=0.5)
FACTS = Facts(
    patient_id="MRN-004711",
    patient_name="Okafor^Adaeze^N",
    patient_birth_date="19690203",
    patient_sex="F",
    accession_number="ACC2026-0815",
    study_description="Chest PA",
    modality="DX",
    view="PA",
)


def arrive(database: Database, uid: str, at: datetime, facts: Facts = FACTS) -> Study:
    """The study's first image is stored and indexed."""
    study = begin(uid, facts, at, POLICY)
    image = Instance(
        sop_instance_uid=f"{uid}.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        series_instance_uid=f"{uid}.9",
        study_instance_uid=uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        digest=digest(uid),
        size_bytes=1024,
        calling_ae_title="MODALITY",
        received_at=at,
    )
    with database.write() as tx:
        tx.put_study(study)
        tx.add_instance(image)
        tx.jobs.enqueue(uid, at)
    return study


def digest(uid: str) -> str:
    """A digest for the image of a study."""
    return uid.replace(".", "").ljust(64, "0")


def scored(uid: str, probability: float, at: datetime) -> Outcome:
    """What the network says of the study's one film."""
    score = InstanceScore(sop_instance_uid=f"{uid}.1", digest=digest(uid), probability=probability)
    return combine(uid, MODEL, [score], [], at)


def excused(uid: str, reason: Reason, at: datetime, *, out_of_scope: bool = False) -> Outcome:
    """Why the network says nothing of it."""
    excuse = InstanceExcuse(sop_instance_uid=f"{uid}.1", digest=digest(uid), reason=reason, out_of_scope=out_of_scope)
    return combine(uid, MODEL, [], [excuse], at)


def decide(database: Database, outcome: Outcome) -> Study:
    """The outcome takes effect and the job is done."""
    at = outcome.decided_at if isinstance(outcome, NotAssessed) else outcome.assessed_at
    with database.write() as tx:
        study = tx.study(outcome.study_instance_uid)
        assert study is not None
        study = with_outcome(study, outcome, POLICY)
        tx.add_outcome(outcome)
        tx.put_study(study)
        if job := tx.jobs.claim("test", at):
            tx.jobs.finish(job, at)
    return study


def make_stat(database: Database, uid: str) -> None:
    """A person says: this one now."""
    with database.write() as tx:
        study = tx.study(uid)
        assert study is not None
        tx.put_study(placed(replace(study, stat=True), POLICY))


def roles(now: datetime, **changes: dict[str, object]) -> list[RoleStatus]:
    """Every role well, save what ``changes`` says of one by name."""
    well = {
        name: RoleStatus(
            role=name,
            pid=100 + place,
            started_at=now - timedelta(hours=3),
            beat_at=now - timedelta(seconds=1),
            state="running",
            model=MODEL.label if name == "worker" else None,
        )
        for place, name in enumerate(EXPECTED_ROLES)
    }
    return [replace(status, **changes.get(name, {})) for name, status in well.items()]  # type: ignore[arg-type]


def put_roles(database: Database, statuses: list[RoleStatus]) -> None:
    """The roles beat."""
    with database.write() as tx:
        for status in statuses:
            tx.put_role(status)


def afternoon(now: datetime | None = None) -> tuple[MemoryDatabase, datetime]:
    """One study at every level; roles well."""
    now = now or datetime.now(UTC)
    database = MemoryDatabase()
    minutes = {"1.2.1": 14, "1.2.2": 21, "1.2.3": 185, "1.2.4": 2, "1.2.5": 40, "1.2.6": 66}
    for uid, ago in minutes.items():
        arrive(database, uid, now - timedelta(minutes=ago))
    decide(database, scored("1.2.1", 0.91, now))
    decide(database, scored("1.2.2", 0.12, now))
    decide(database, scored("1.2.3", 0.08, now))
    make_stat(database, "1.2.3")
    decide(database, excused("1.2.5", Reason.CANNOT_DECODE, now))
    decide(database, excused("1.2.6", Reason.NOT_A_CHEST_FILM, now, out_of_scope=True))
    put_roles(database, roles(now))
    return database, now


def finish_reading(database: Database, uid: str, now: datetime) -> None:
    """A reader has read the study."""
    with database.write() as tx:
        study = tx.study(uid)
        assert study is not None
        reading = Reading(state=ReadingState.READ, reader="dr", since=now, verdict="agree", verdict_at=now)
        tx.put_study(replace(study, reading=reading))
