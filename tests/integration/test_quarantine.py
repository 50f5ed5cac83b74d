"""A running service: what was refused is decided on from the command line; a damaged film heals when it is sent again."""

import json
from pathlib import Path

import pytest

from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import digest_of, film, sop_uid, study_uid
from tests.integration.service import Service, until

GREY = ("--as", "Dr Grey", "--because", "the first was cut off")


def row(service: Service, number: int) -> dict[str, object]:
    rows = json.loads(service.triage("worklist", "--json", "--all").stdout)
    (found,) = [one for one in rows if one["study_instance_uid"] == study_uid(number)]
    return dict(found)


def path_of(service: Service, content: bytes) -> Path:
    digest = digest_of(content)
    return service.home / "instances" / "objects" / digest[:2] / f"{digest}.dcm"


@pytest.mark.soak
def test_what_was_refused_is_released_and_discarded_beside_a_running_intake(serve: Serve) -> None:
    service = serve("intake")
    first, again = film(1), film(1, PatientComments="again")
    with modality(service.dimse_port) as sender:
        assert [sender.store(first), sender.store(again)] == [0x0000, 0xA900]
    (aside,) = json.loads(service.triage("quarantine", "--json").stdout)
    assert aside["digest"] == digest_of(again)
    done = service.triage("quarantine", "release", digest_of(again), *GREY)
    assert done.returncode == 0, done.stderr
    (aside,) = json.loads(service.triage("quarantine", "--json").stdout)
    assert aside["digest"] == digest_of(first)
    with modality(service.dimse_port) as sender:
        assert [sender.store(again), sender.store(first)] == [0x0000, 0xA900]
    assert row(service, 1)["doubt"] is None
    assert service.verify()["gaps"] == []
    assert service.triage("quarantine", "discard", digest_of(first), *GREY).returncode == 0
    assert service.triage("quarantine", "discard", digest_of(first), *GREY).returncode == 1
    assert list((service.home / "instances" / "quarantine").iterdir()) == []
    service.verify()


def test_a_damaged_film_is_told_until_it_is_sent_again(serve: Serve) -> None:
    service = serve("intake")
    with modality(service.dimse_port) as sender:
        assert sender.store(film(1)) == 0x0000
    whole = path_of(service, film(1)).read_bytes()
    path_of(service, film(1)).write_bytes(whole[:-1])
    found = service.triage("verify")
    assert found.returncode == 1
    assert found.stdout.startswith(f"digest_differs: {sop_uid(1)} -> send the film again")
    assert row(service, 1)["doubt"] == "film_damaged"
    other = serve("scheduler", "web", home=service.home)
    until(lambda: any("damaged or gone" in one for one in other.readyz().get("reasons", [])), 20, "told at /readyz")
    with modality(service.dimse_port) as sender:
        assert sender.store(film(1)) == 0x0000
    assert path_of(service, film(1)).read_bytes()[132:] == whole[132:]
    assert row(service, 1)["doubt"] is None
    (aside,) = json.loads(service.triage("quarantine", "--json").stdout)
    assert (service.home / "instances" / "quarantine" / f"{aside['digest']}.dcm").read_bytes() == whole[:-1]
    service.verify()
