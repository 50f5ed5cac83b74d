"""What the monitoring sees."""

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Client, Open
from tests.unit.web.silent import SilentDatabase


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
