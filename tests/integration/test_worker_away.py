"""Without the network the list is first come, first served, and nobody is told otherwise."""

import json
from collections.abc import Sequence

import pytest

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import film, study_uid
from tests.integration.service import Service, until
from tests.size import size

WITHOUT_WORKER = ("intake", "web", "scheduler")
FILMS = size(10, 50)
ASSESSED_WITHIN = 60


def send(service: Service, numbers: Sequence[int]) -> None:
    with modality(service.dimse_port) as sender:
        assert [sender.store(film(number)) for number in numbers] == [0x0000] * len(numbers)


def levels(service: Service) -> set[str]:
    return {row["level"] for row in service.worklist()}


def test_films_wait_in_arrival_order_until_a_worker_comes(serve: Serve) -> None:
    service = serve(*WITHOUT_WORKER, network=True)
    numbers = [(7 * number) % FILMS + 1 for number in range(FILMS)]  # not the order of the UIDs
    send(service, numbers)
    listed = service.worklist()
    assert [row["study_instance_uid"] for row in listed] == [study_uid(number) for number in numbers]
    assert {(row["level"], row["reason"], row["probability"]) for row in listed} == {("pending", None, None)}

    worker = serve("worker", home=service.home)
    until(lambda: "pending" not in levels(service), ASSESSED_WITHIN, "every film assessed")
    assert levels(service) <= {"flagged", "not_flagged"}
    assert service.verify()["assessed"] == FILMS
    worker.stop()
    service.stop()


def test_without_a_worker_readyz_and_the_page_say_so(serve: Serve) -> None:
    service = serve(*WITHOUT_WORKER)
    answer = service.readyz()
    assert answer["status"] == 503
    assert "worker: has not started" in answer["reasons"]
    page = service.get("/")[1].decode()
    assert "Network not running" in page
    assert "order of arrival" in page


def test_without_a_usable_bundle_nothing_is_judged(serve: Serve) -> None:
    service = serve(*WITHOUT_WORKER)
    choice = {"active": "0" * 64, "previous": None, "activated_at": "2026-01-01T00:00:00+00:00"}
    (service.home / "models").mkdir()
    (service.home / "models" / "active.json").write_text(json.dumps(choice))
    serve("worker", home=service.home)
    numbers = [(7 * number) % 20 + 1 for number in range(20)]
    send(service, numbers)
    until(lambda: levels(service) == {"not_assessed"}, 30, "every film without model")
    listed = service.worklist()
    assert [row["study_instance_uid"] for row in listed] == [study_uid(number) for number in numbers]
    assert {row["reason"] for row in listed} == {"no_model"}
    assert {row["probability"] for row in listed} == {None}
    answer = service.readyz()
    assert answer["status"] == 503
    assert any("worker: no usable model: no bundle 000000000000 is installed" in reason for reason in answer["reasons"])
    page = service.get("/")[1].decode()
    assert "No usable model" in page
    assert "order of arrival" in page
    assert service.verify()["gaps"] == []


def test_a_bundle_that_comes_later_assesses_what_waited(serve: Serve) -> None:
    service = serve(*WITHOUT_WORKER, network=True)
    chosen = service.home / "models" / "active.json"
    before = chosen.read_bytes() if chosen.exists() else None
    chosen.parent.mkdir(exist_ok=True)
    chosen.write_text("damaged")
    serve("worker", home=service.home)
    send(service, range(1, 6))
    until(lambda: levels(service) == {"not_assessed"}, 30, "no model")
    if before is None:
        chosen.unlink()
    else:
        chosen.write_bytes(before)
    until(lambda: levels(service) <= {"flagged", "not_flagged"}, ASSESSED_WITHIN, "assessed by the model that came")
    assert service.verify()["assessed"] == 5


@pytest.mark.soak
def test_two_workers_share_the_films(serve: Serve) -> None:
    service = serve(network=True, settings={"worker__processes": "2"})
    until(lambda: service.is_up("worker-2"), ASSESSED_WITHIN, "the second worker up")
    send(service, range(1, FILMS + 1))
    until(lambda: "pending" not in levels(service), ASSESSED_WITHIN, "every film assessed")
    assert service.rows("SELECT count(*) AS n, count(DISTINCT study_instance_uid) AS studies FROM outcome")[0]["n"] == FILMS
    assert len(service.rows("SELECT DISTINCT worker FROM job")) == 2
    assert service.verify()["assessed"] == FILMS
    service.stop()
