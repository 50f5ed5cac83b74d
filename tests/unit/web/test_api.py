"""JSON for scripts."""

from tests.unit.web import scene
from tests.unit.web.conftest import NOW, Open
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Role
from triage.domain.worklist import as_json, ranked


def test_the_worklist_is_the_one_of_the_command_line(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    with database.read() as tx:
        expected = [as_json(item, now) for item in ranked(tx.worklist())]
    assert client.get("/api/v1/worklist").json() == expected
    assert client.get("/api/v1/worklist?limit=2").json() == expected[:2]
    assert client.get("/api/v1/worklist?limit=0").status_code == 422


def test_all_includes_read_studies(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    scene.finish_reading(database, "1.2.1", now)
    client = open_site(database, now)
    unread = [row["study_instance_uid"] for row in client.get("/api/v1/worklist").json()]
    every = [row["study_instance_uid"] for row in client.get("/api/v1/worklist?all=true").json()]
    assert "1.2.1" not in unread
    assert sorted(every) == sorted([*unread, "1.2.1"])
    assert client.get("/api/v1/studies/1.2.1").json()["rank"] is None


def test_a_study_tells_its_images_and_history(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    record = open_site(database, now).get("/api/v1/studies/1.2.1").json()
    assert record["rank"] == 3
    assert record["why"] == "flagged (probability 0.91), arrived 14 min ago, head start 24 h"
    assert [image["sop_instance_uid"] for image in record["instances"]] == ["1.2.1.1"]
    (outcome,) = record["outcomes"]
    assert outcome["outcome"] == "flagged"
    assert outcome["model"] == record["model"] == "gap6@1.0.0+5f2c81d9"
    assert outcome["considered"] == [record["instances"][0]["digest"]]
    assert outcome["scores"][0]["probability"] == 0.91


def test_history_without_a_score_has_its_reason(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    for uid, outcome, reason in (("1.2.5", "not_assessed", "cannot_decode"), ("1.2.6", "out_of_scope", "not_a_chest_film")):
        (told,) = client.get(f"/api/v1/studies/{uid}").json()["outcomes"]
        assert (told["outcome"], told["reason"], told["probability"]) == (outcome, reason, None)
        assert told["excuses"][0]["reason"] == reason


def test_an_unknown_or_hostile_uid_is_not_found(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    for uid in ("1.2.99", "<script>", "1.02", "1" * 65, "..%2f..%2fetc"):
        answer = client.get(f"/api/v1/studies/{uid}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json"


def test_the_api_is_described(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    client = open_site(database, now)
    paths = client.get("/api/openapi.json").json()["paths"]
    instances = {"/api/v1/instances/{uid}/preview.png", "/api/v1/instances/{uid}/preview.raw"}
    studies = {"/api/v1/worklist", "/api/v1/studies/{uid}", "/api/v1/studies/{uid}/images"}
    assert set(paths) >= instances | studies | {"/livez", "/readyz", "/metrics", "/api/v1/me"}
    page = client.get("/api/docs").text
    assert all(path in page for path in paths)


def test_who_asks_is_told_to_the_page(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    told = open_site(database, now, authenticator=SignedIn(role=Role.VIEWER, csrf="c")).get("/api/v1/me").json()
    assert told == {"name": "tester", "role": "viewer", "permissions": ["account", "view"], "csrf": "c"}


def test_a_viewer_sees_no_probability(open_site: Open) -> None:
    database, now = scene.afternoon(NOW)
    viewer = open_site(database, now, authenticator=SignedIn(role=Role.VIEWER))
    reader = open_site(database, now, authenticator=SignedIn(role=Role.RADIOLOGIST))
    for path in ("/", "/study/1.2.1", "/api/v1/worklist", "/api/v1/studies/1.2.1", "/api/v1/studies/1.2.1/images"):
        assert "0.91" in reader.get(path).text, path
        assert "0.91" not in viewer.get(path).text, path
