"""What the monitoring sees."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client, Open
from tests.unit.web.silent import SilentDatabase
from triage.domain.figures import SENDERS, STEP
from triage.domain.schedule import NOTICED
from triage.services.tally import Tally


def values(client: Client) -> dict[tuple[str, ...], float]:
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    assert all(family.documentation for family in families)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_counts_and_times(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    scene.put_roles(database, scene.roles(now, worker={"restarts": 3, "trouble": "no model"}))
    told = values(open_site(database, now, 12345))
    assert told[("triage_unread_studies", "flagged")] == 1
    assert told[("triage_unread_studies", "stat")] == 1
    assert told[("triage_queue_jobs", "waiting")] == 1
    assert told[("triage_queue_oldest_waiting_seconds",)] == 120
    assert told[("triage_storage_free_bytes",)] == 12345
    assert told[("triage_quarantined_objects",)] == 0
    assert told[("triage_role_up", "worker")] == told[("triage_database_up",)] == 1
    assert told[("triage_role_troubled", "worker")] == 1
    assert told[("triage_role_restarts_total", "worker", "worker")] == 3


def test_no_patient_and_no_uid(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    text = open_site(database, now).get("/metrics").text
    assert not any(secret in text for secret in ("Okafor", "MRN-004711", "ACC2026", "1.2.1"))


def test_of_a_silent_database_nothing_else_is_said(open_site: Open) -> None:
    told = values(open_site(SilentDatabase(), room=5))
    assert told[("triage_database_up",)] == told[("triage_ready",)] == 0
    assert told[("triage_storage_free_bytes",)] == 5
    assert {name for name, *_ in told} == {
        "triage_database_up", "triage_storage_free_bytes", "triage_build_info", "triage_ready", "triage_reasons",
        "triage_warnings",
    }  # fmt: skip


def test_what_was_counted_is_told_as_prometheus_wants_it(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    tally = Tally()
    for seconds in (0.04, 0.2, 0.2, 99.0):
        tally.film("CR1", 0, 10, seconds)
    with tally.timed(STEP, step="open"):
        pass
    tally.write(database)
    told = values(open_site(database, now))
    assert told[("triage_films_received_total", "CR1", "0000")] == 4
    assert told[("triage_received_bytes_total", "CR1")] == 40
    heaps = {key[1]: value for key, value in told.items() if key[0] == "triage_film_listed_seconds_bucket"}
    assert (heaps["0.05"], heaps["0.1"], heaps["0.25"], heaps["60"], heaps["+Inf"]) == (1, 1, 3, 3, 4)
    assert told[("triage_film_listed_seconds_count",)] == 4
    assert told[("triage_film_listed_seconds_sum",)] == pytest.approx(99.44)
    assert told[("triage_assessment_step_seconds_count", "open")] == 1


def test_senders_that_many_processes_brought_are_folded(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    for process in range(3):
        tally = Tally()
        for number in range(SENDERS):
            tally.film(f"AE{process}_{number}", 0, 1, 0.1)
        tally.write(database)
    told = values(open_site(database, now))
    films = {key: value for key, value in told.items() if key[0] == "triage_films_received_total"}
    assert sum(films.values()) == 3 * SENDERS
    assert len(films) == 2 * SENDERS + 1


def test_processes_of_several_machines(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    worker = scene.roles(now)[1]
    gone = {"role": "worker@c", "beat_at": now - timedelta(days=2)}
    scene.put_roles(database, [replace(worker, role="worker@b", restarts=2), replace(worker, **gone)])
    scene.put_roles(database, [replace(worker, role="worker@d", beat_at=now - timedelta(minutes=1))])
    told = values(open_site(database, now))
    assert told[("triage_role_processes", "worker")] == 2
    assert told[("triage_role_silent_processes", "worker")] == 1
    assert told[("triage_role_restarts_total", "worker@b", "worker")] == 2
    assert ("triage_role_restarts_total", "worker@c", "worker") not in told


def test_recurring_jobs(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    with database.write() as tx:
        tx.leases.begun("backup", now)
        tx.leases.ended("backup", now + timedelta(seconds=90), None)
        tx.leases.begun("audit", now)
        tx.leases.ended("audit", now, "broken")
        tx.leases.begun("drift", now)
        tx.leases.ended("drift", now, f"{NOTICED}scores have changed")
    told = values(open_site(database, now))
    assert told[("triage_job_last_success_timestamp_seconds", "backup")] == (now + timedelta(seconds=90)).timestamp()
    assert told[("triage_job_last_duration_seconds", "backup")] == 90
    jobs = ("backup", "audit", "drift")
    assert [told[("triage_job_failed", job)] for job in jobs] == [0, 1, 0]
    assert [told[("triage_job_noticed", job)] for job in jobs] == [0, 0, 1]
