"""Whose films these may not be, on the list and on the study's page: seen, and nothing of the other patient with it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Open
from triage.database.memory import MemoryDatabase
from triage.domain.doubt import Doubt
from triage.domain.instance import QuarantinedObject
from triage.domain.study import with_doubt, with_outcome
from triage.services.set_aside import set_aside

MINUTE = timedelta(minutes=1)


def refused(database: MemoryDatabase, uid: str, doubt: Doubt = Doubt.IDENTITY_CONFLICT) -> None:
    one = QuarantinedObject(
        digest="c0ffee" + "0" * 58,
        sop_instance_uid="9.9.9",
        study_instance_uid=uid,
        cause="the study belongs to another patient",
        calling_ae_title="CR_2",
        received_at=NOW,
    )
    with database.write() as tx:
        set_aside(tx, one, {uid: doubt}, scene.POLICY)


def assessed(uid: str, probability: float) -> MemoryDatabase:
    database = MemoryDatabase()
    study, outcome = scene.arrive(database, uid, NOW - MINUTE), scene.scored(uid, probability, NOW)
    with database.write() as tx:
        tx.add_outcome(outcome)
        tx.put_study(with_outcome(study, outcome, scene.POLICY))
    return database


def test_a_conflict_on_the_list_and_the_page(open_site: Open) -> None:
    database = assessed("1.2.1", 0.1)
    refused(database, "1.2.1")
    client = open_site(database)
    listed, page = client.get("/").text, client.get("/study/1.2.1").text
    for text in (listed, page):
        assert "another patient&#39;s film came under its study UID and was set aside" in text
        assert "Not assessed" in text
        assert "probability 0.10</span>" not in text
        assert "9.9.9" not in text
    assert 'data-doubt="identity_conflict"' in listed
    assert "1 object was set aside, and cannot be seen here" in page
    assert 'id="aside-heading"' in page
    assert "c0ffee000000" in page
    assert "CR_2" in page
    assert "None of these counts now" in page
    assert "1: looked at, but the study is not assessed" in page, "no score counts"


def test_a_flagged_study_stays_so_and_carries_the_mark(open_site: Open) -> None:
    database = assessed("1.2.1", 0.9)
    refused(database, "1.2.1")
    client = open_site(database)
    for text in (client.get("/").text, client.get("/study/1.2.1").text):
        assert 'class="mark flagged"' in text
        assert "another patient&#39;s film" in text
    (row,) = client.get("/api/v1/worklist").json()
    assert (row["level"], row["doubt"], row["reason"]) == ("flagged", "identity_conflict", None)
    record = client.get("/api/v1/studies/1.2.1").json()
    assert "None of these counts now" not in client.get("/study/1.2.1").text
    assert [one["digest"][:6] for one in record["set_aside"]] == ["c0ffee"]
    assert [(one["covered"], one["reason"]) for one in record["instances"]] == [(True, None)]


def test_names_that_differ_are_a_mark_and_no_more(open_site: Open) -> None:
    database = assessed("1.2.1", 0.1)
    with database.write() as tx:
        study = tx.study("1.2.1")
        assert study is not None
        tx.put_study(with_doubt(study, Doubt.NAMES_DIFFER, scene.POLICY))
    client = open_site(database)
    for text in (client.get("/").text, client.get("/study/1.2.1").text):
        assert 'class="mark not_flagged"' in text
        assert "make sure whose each is" in text


@pytest.mark.parametrize(
    ("other", "listed"),
    [
        ({"patient_name": "Okafor^Chidi"}, True),
        ({"patient_name": "Married^Adaeze"}, True),
        ({"patient_birth_date": "19690302"}, True),
        ({"patient_name": "Smith^Bob", "patient_sex": "M"}, False),
        ({"patient_name": "Smith^Bob", "patient_birth_date": "19500505"}, False),
        ({"patient_birth_date": "19500505", "patient_sex": "M"}, False),
    ],
    ids=str,
)
def test_a_shared_number_makes_nobody_a_prior(open_site: Open, other: dict[str, str], listed: bool) -> None:
    database = MemoryDatabase()
    scene.arrive(database, "1.1", NOW - 60 * MINUTE, replace(scene.FACTS, study_description="The other's", **other))
    scene.arrive(database, "1.2", NOW)
    page = open_site(database).get("/study/1.2").text
    assert ("The other&#39;s" in page) == ('data-prior="1.1"' in page) == listed
    assert ("make sure that it is this patient" in page) == listed
    assert ("1 more study under this number not listed" in page) == (not listed)
