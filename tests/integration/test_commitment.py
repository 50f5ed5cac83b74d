"""Storage commitment over the wire: told on the same association or on another, whole files only, whatever dies in between."""

import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration import objects
from tests.integration.commitment import Heard, ask, asking, listening
from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import DX, film, sop_uid
from tests.integration.service import Service, until
from tests.unit.dimse.requests import IMPLICIT, pairs
from triage.dimse.requestor import steady

CT = "1.2.840.10008.5.1.4.1.1.2"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def store(service: Service, *numbers: int) -> None:
    with modality(service.dimse_port) as sender:
        for number in numbers:
            assert sender.store(film(number)) == 0x0000


def kept(service: Service, number: int) -> Path:
    digest = objects.digest_of(film(number))
    return service.home / "instances" / "objects" / digest[:2] / f"{digest}.dcm"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rows(service: Service, transaction: str) -> list[dict[str, Any]]:
    return [dict(row) for row in service.rows("SELECT * FROM commitment WHERE transaction_uid = ?", transaction)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def line(serve: Serve, heard: Heard) -> tuple[Service, int]:
    """A service that knows where MODALITY listens, and that port; nobody listens there yet."""
    port = free_port()
    return serve("intake", settings={"dimse__commitment_peers": f"MODALITY@127.0.0.1:{port}"}), port


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_a_requestor_that_stays_is_told_on_the_same_association(serve: Serve, heard: Heard, syntax: str) -> None:
    service = serve("intake")
    store(service, 1, 2, 3)
    flip(kept(service, 2))
    asked = [(DX, sop_uid(1)), (DX, sop_uid(2)), (CT, sop_uid(3)), (DX, sop_uid(4)), (CT, "1.2.3")]
    with asking(service.dimse_port, heard, **({"syntax": IMPLICIT} if syntax == "implicit" else {})) as association:
        began = time.monotonic()
        assert ask(association, "1.9.1", asked) == 0x0000
        report = heard.wait("1.9.1")
        print(f"told {time.monotonic() - began:.2f} s after it was asked, on the same association")
        assert ask(association, "1.9.2", [(DX, sop_uid(1))]) == 0x0000
        assert heard.wait("1.9.2") == {"type": 1, "transaction": "1.9.2", "committed": [sop_uid(1)], "failed": {}}
    assert report == {
        "type": 2,
        "transaction": "1.9.1",
        "committed": [sop_uid(1)],
        "failed": {sop_uid(2): 0x0110, sop_uid(3): 0x0119, sop_uid(4): 0x0112, "1.2.3": 0x0122},
    }
    until(lambda: rows(service, "1.9.1")[0]["state"] == "reported", 10)
    assert len(heard.reports) == 2


def test_films_and_the_request_for_them_on_one_association(serve: Serve, heard: Heard) -> None:
    from pydicom.uid import UID
    from pynetdicom import AE, build_context, evt

    service = serve("intake")
    entity = AE(ae_title="MODALITY")
    contexts = [build_context(UID(DX), UID(objects.EXPLICIT)), build_context(UID("1.2.840.10008.1.20.1"))]
    handlers = [(evt.EVT_N_EVENT_REPORT, heard.report)]
    association = entity.associate("127.0.0.1", service.dimse_port, contexts=contexts, ae_title="TRIAGE", evt_handlers=handlers)
    path = service.home.parent / "film.dcm"
    path.write_bytes(film(1))
    assert steady(association).send_c_store(path).Status == 0x0000
    assert ask(association, "1.9.1", [(DX, sop_uid(1)), (DX, sop_uid(2))]) == 0x0000
    path.write_bytes(film(2))
    assert steady(association).send_c_store(path).Status == 0x0000
    assert heard.wait("1.9.1")["committed"] == [sop_uid(1), sop_uid(2)]
    path.write_bytes(film(3))
    assert steady(association).send_c_store(path).Status == 0x0000
    association.release()


def test_a_requestor_that_left_is_called_where_it_listens(line: tuple[Service, int], heard: Heard) -> None:
    service, port = line
    store(service, 1)
    with listening("MODALITY", heard, port):
        with asking(service.dimse_port, Heard()) as association:
            assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
        began = time.monotonic()
        assert heard.wait("1.9.1")["committed"] == [sop_uid(1)]
        print(f"called {time.monotonic() - began:.2f} s after it had left")
    assert heard.callers == ["TRIAGE"]
    assert heard.roles == [(True, False)]  # as the acceptor's library has it: it was SCU of the class, we SCP


@pytest.mark.parametrize("when", ["before anybody is told", "while a silent requestor is told"])
def test_killed_between_request_and_report_it_reports_after_the_restart(line: tuple[Service, int], when: str) -> None:
    service, port = line
    store(service, 1)
    silent, heard = Heard(answer=lambda: None), Heard()
    with ExitStack() as stack:
        if when != "before anybody is told":
            stack.enter_context(listening("MODALITY", silent, port))
        with asking(service.dimse_port, Heard()) as association:
            assert ask(association, "1.9.1", [(DX, sop_uid(1)), (DX, sop_uid(2))]) == 0x0000
            if when == "before anybody is told":
                os.kill(service.pid("intake"), signal.SIGKILL)
        if when != "before anybody is told":
            silent.wait("1.9.1")
            os.kill(service.pid("intake"), signal.SIGKILL)
        assert service.process is not None
        service.process.wait()
        assert [row["ended_at"] for row in rows(service, "1.9.1")] == [None]
    with listening("MODALITY", heard, port):
        service.start()
        assert heard.wait("1.9.1") == {
            "type": 2, "transaction": "1.9.1", "committed": [sop_uid(1)], "failed": {sop_uid(2): 0x0112}
        }  # fmt: skip
        until(lambda: rows(service, "1.9.1")[0]["state"] == "reported", 10)
    assert len(heard.reports) == 1


def test_a_requestor_that_is_down_refuses_or_fails_is_called_again(line: tuple[Service, int], heard: Heard) -> None:
    service, port = line
    store(service, 1)
    with asking(service.dimse_port, Heard()) as association:
        assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
    until(lambda: rows(service, "1.9.1")[0]["error"], 20, "a try that failed")
    assert "does not answer" in rows(service, "1.9.1")[0]["error"]
    answers = iter([0x0110])
    heard.answer = lambda: next(answers, 0x0000)
    with listening("ELSEWHERE", Heard(), port):
        pass
    with listening("MODALITY", heard, port):
        heard.wait("1.9.1", 40)
        until(lambda: "0110" in (rows(service, "1.9.1")[0]["error"] or ""), 10)
        heard.wait("1.9.1", 60, count=2)
        until(lambda: rows(service, "1.9.1")[0]["state"] == "reported", 10)
    print(f"tries: {rows(service, '1.9.1')[0]['attempts']}")


def test_a_requestor_without_a_known_address_is_told_when_it_comes_back(serve: Serve, heard: Heard) -> None:
    service = serve("intake")
    store(service, 1)
    with asking(service.dimse_port, Heard()) as association:
        assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
    with asking(service.dimse_port, heard, calling="STRANGER"):
        with asking(service.dimse_port, heard):
            heard.wait("1.9.1")
        assert len(heard.reports) == 1


STATUSES: dict[str, tuple[dict[str, Any], int]] = {
    "another action": ({"action_type": 2}, 0x0123),
    "another instance": ({"sop_instance_uid": "1.2.840.10008.1.20.1.2"}, 0x0112),
    "another class": ({"sop_class_uid": "1.2.840.10008.1.20.2"}, 0x0118),
    "no objects": ({"references": []}, 0x0115),
    "no data set": ({"bare": True}, 0x0115),
    "a path as UID": ({"references": [(DX, "../../etc/passwd")]}, 0x0115),
    "too many": ({"references": pairs(10_001)}, 0x0213),
    "too many bytes": ({"references": pairs(31_000)}, 0x0213),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_what_is_no_request_is_answered_by_its_status_and_the_association_lives(serve: Serve, heard: Heard) -> None:
    service = serve("intake")
    store(service, 1)
    with asking(service.dimse_port, heard) as association:
        for case, (wrong, status) in STATUSES.items():
            assert ask(association, "1.9.7", **({"references": [(DX, sop_uid(1))]} | wrong)) == status, case
        assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
        heard.wait("1.9.1")
    assert rows(service, "1.9.7") == []
    assert len(heard.reports) == 1


def test_a_transaction_uid_used_twice(serve: Serve, heard: Heard) -> None:
    service = serve("intake")
    store(service, 1)
    with asking(service.dimse_port, heard) as association:
        assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
        assert heard.wait("1.9.1")["type"] == 1
        assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
        assert heard.wait("1.9.1", count=2)["type"] == 1
        assert ask(association, "1.9.1", [(DX, sop_uid(1)), (DX, sop_uid(2))]) == 0x0000
        assert heard.wait("1.9.1", count=3)["failed"] == {sop_uid(1): 0x0131, sop_uid(2): 0x0131}


@pytest.mark.soak
def test_the_most_that_may_be_asked_at_once(serve: Serve, heard: Heard) -> None:
    service = serve("intake")
    store(service, 1)
    with asking(service.dimse_port, heard) as association:
        began = time.monotonic()
        assert ask(association, "1.9.1", [(DX, sop_uid(1)), *pairs(9_999)]) == 0x0000
        taken = time.monotonic()
        report = heard.wait("1.9.1", 60)
        print(f"10,000 objects: taken in {taken - began:.2f} s, told after {time.monotonic() - began:.1f} s")
    assert (report["committed"], len(report["failed"])) == ([sop_uid(1)], 9_999)


def test_on_sigterm_it_ends_and_tells_the_rest_later(line: tuple[Service, int], heard: Heard) -> None:
    service, port = line
    silent = Heard(answer=lambda: None)
    with listening("MODALITY", silent, port):
        with asking(service.dimse_port, Heard()) as association:
            assert ask(association, "1.9.1", [(DX, sop_uid(1))]) == 0x0000
        silent.wait("1.9.1")
        began = time.monotonic()
        service.stop()
        print(f"stopped {time.monotonic() - began:.1f} s after SIGTERM, with a silent requestor on the line")
    with listening("MODALITY", heard, port):
        service.start()
        heard.wait("1.9.1")
