"""``triage deliveries`` on a home, and what *verify*, *check* and *study* say of results."""

import json
import os
import socket
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests import films
from tests.unit.services.peer import Peer
from tests.unit.services.world import World
from triage.bootstrap import note_destinations, open_site
from triage.bootstrap.publisher import lock_of
from triage.cli import app
from triage.cli.checks_results import destinations
from triage.cli.common import operator
from triage.clock import utc_now
from triage.config import load
from triage.domain.audit import Action
from triage.domain.delivery import OVERDUE, UnknownDelivery
from triage.domain.errors import ConfigError
from triage.services.publish import publish
from triage.services.verify_results import Awaited, compare_results

BRIGHT = films.film("1.2.3", "1.2.3.1", bright=0.9)
DARK = films.film("1.2.4", "1.2.4.1", bright=0.1)
SETTINGS = """
[[destinations]]
name = "ris"
kind = "hl7"
to = "127.0.0.1:{port}"
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path, port: int) -> Path:
    """A home with two results; the receiver refused the first, the second waits."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "triage.toml").write_text(SETTINGS.format(port=port))
    site = open_site(load(home=home, environment={}), create=True)
    note_destinations(site)
    world, peer = World(site.archive, site.database), Peer(refuses=True)
    world.clock.now = utc_now()
    world.store(BRIGHT)
    world.step()
    publish(site.database, "ris", peer, timedelta(seconds=9), utc_now, lambda: 0.0)
    world.store(DARK)
    world.step()
    site.database.close()
    return home


def told(home: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def listed(home: Path, *arguments: str) -> Any:
    return json.loads(told(home, "deliveries", *arguments, "--json"))


def test_what_has_not_arrived_is_listed(home: Path) -> None:
    text = told(home, "deliveries")
    assert "ris: 0 delivered, 1 waiting, 1 refused" in text
    assert "1 result refused by ris; see: triage deliveries" in text
    assert "1.2.3  result 1" in text
    assert "refused  ris  1 try  0xA900" in text
    (ris,) = listed(home)["destinations"]
    assert (ris["configured"], ris["waiting"], ris["refused"]) == (True, 1, 1)
    assert listed(home, "--state", "delivered")["deliveries"] == []
    assert [one["number"] for one in listed(home, "--study", "1.2.3")["deliveries"]] == [1]
    assert listed(home, "--destination", "pacs") == {"destinations": [], "deliveries": []}


def test_a_refused_one_is_sent_again_and_audited(home: Path) -> None:
    (refused,) = listed(home)["deliveries"]
    assert "1 will be sent again" in told(home, "deliveries", "retry", str(refused["id"]))
    with pytest.raises(UnknownDelivery):
        told(home, "deliveries", "retry", str(refused["id"]))
    assert "0 will be sent again" in told(home, "deliveries", "retry", "--all-refused")
    told(home, "deliveries", "retry", code=2)
    site = open_site(load(home=home, environment={}))
    with site.database.read() as tx:
        record = tx.latest_audit(Action.DELIVERY)
    site.database.close()
    assert record is not None
    assert (record.actor, record.subject) == (operator(), "1.2.3")


def test_the_past_is_sent_on_request(home: Path) -> None:
    assert "1 results of the past" in told(home, "deliveries", "send-past", "ris", "--since", "2020-01-01")
    assert "0 results of the past" in told(home, "deliveries", "send-past", "ris", "--since", "2020-01-01")
    with pytest.raises(UnknownDelivery, match="no destination"):
        told(home, "deliveries", "send-past", "pacs", "--since", "2020-01-01")


def test_a_study_says_what_was_sent_of_it(home: Path) -> None:
    assert "result 1" in told(home, "study", "1.2.3")
    record = json.loads(told(home, "study", "1.2.3", "--json"))
    assert [one["state"] for one in record["deliveries"]] == ["refused"]
    assert [one["level"] for one in record["results"]] == ["flagged"]


def test_the_account_names_what_was_refused(home: Path) -> None:
    account = json.loads(told(home, "verify", "--json", code=1))
    assert account["gaps"] == [{"what": "result_refused", "subject": "1.2.3"}]
    assert "triage deliveries retry" in told(home, "verify", code=1)


def test_the_account_names_what_waits_for_more_than_a_day_and_what_lies(home: Path) -> None:
    site = open_site(load(home=home, environment={}))
    with site.database.write() as tx:
        studies = tx.worklist(include_read=True)
        later = Awaited(("ris",), utc_now() + OVERDUE + timedelta(minutes=1))
        assert set(compare_results(tx, studies, later)) == {("result_refused", "1.2.3"), ("result_waits", "ris")}
        tx.deliveries.fan_out("ris", utc_now(), 9)
        assert set(compare_results(tx, studies, later)) == {("result_refused", "1.2.3"), ("result_waits", "1.2.4")}
        lying = [replace(one, probability=0.5) if one.study_instance_uid == "1.2.4" else one for one in studies]
        assert list(compare_results(tx, lying, None)) == [("result_differs", "1.2.4")]
        tx.connection.exec_driver_sql("DELETE FROM delivery WHERE study_instance_uid = '1.2.4'")
        assert ("result_without_delivery", "1.2.4") in set(compare_results(tx, studies, Awaited(("ris",), utc_now())))
    site.database.close()


def test_check_says_whether_a_destination_answers(home: Path, port: int) -> None:
    settings = load(home=home, environment={})
    marks = [(one.mark, one.subject) for one in destinations(settings)]
    assert marks == [("FAIL", "destination"), ("WARN", "deliveries")]
    assert all(one.remedy for one in destinations(settings))
    with socket.create_server(("127.0.0.1", port)):
        marks = [(one.mark, one.subject) for one in destinations(settings)]
    assert marks == [("ok", "destination"), ("WARN", "deliveries")]


def test_one_publisher_waits_for_the_other_and_then_says_so(home: Path) -> None:
    site, stop = open_site(load(home=home, environment={})), threading.Event()
    first = lock_of(site, stop)
    with pytest.raises(ConfigError, match="another one runs"):
        lock_of(site, stop, within=0.3)
    threading.Timer(0.3, os.close, (first,)).start()
    os.close(lock_of(site, stop, within=20))
    site.database.close()


def test_a_publisher_without_destinations_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[\[destinations\]\]"):
        told(tmp_path / "new", "serve", "publisher")
