"""Reports of storage commitment by TLS: to the one that asked, and to nobody who only has a certificate."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import UID
from pynetdicom import AE, build_context, evt

from tests.certificates import Hospital
from tests.integration.conftest import Serve
from tests.integration.service import Service, until
from tests.integration.test_dicom_tls import settings
from tests.unit.dimse.requests import EXPLICIT, action
from triage.cli.serve import free_port
from triage.clock import utc_now
from triage.dimse.bindings import Bindings
from triage.dimse.tls import TlsServer

CLASS, INSTANCE = UID("1.2.840.10008.1.20.1"), UID("1.2.840.10008.1.20.1.1")
TRANSACTION = "1.2.826.0.1.3680043.10.511.9.1"

pytestmark = pytest.mark.peer


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    made = Hospital(tmp_path / "hospital")
    for name in ("server", "CT1", "CT2"):
        made.issue(name, "TRIAGE" if name == "server" else name)
    return made


def ask(service: Service, hospital: Hospital) -> int:
    """CT1 asks whether a film is kept that nobody sent, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(hospital.ca)
    context.load_cert_chain(hospital.folder / "CT1.pem", hospital.folder / "CT1.key")
    association = AE(ae_title="CT1").associate(
        "127.0.0.1",
        service.dimse_port,
        contexts=[build_context(CLASS, UID(EXPLICIT))],
        ae_title="TRIAGE",
        tls_args=(context, "127.0.0.1"),
    )
    assert association.is_established
    status, _ = association.send_n_action(action(TRANSACTION, [("1.2.840.10008.5.1.4.1.1.1.1", "1.2.3")]), 1, CLASS, INSTANCE)
    association.abort()
    return int(status.Status)


@contextmanager
def listening(hospital: Hospital, name: str, port: int, told: list[str]) -> Iterator[None]:
    """An SCP for reports, with the certificate of ``name``."""

    def report(event: Any) -> tuple[int, None]:
        told.append(str(event.event_information.TransactionUID))
        return 0x0000, None

    entity = AE(ae_title="CT1")
    entity.add_supported_context(CLASS, UID(EXPLICIT), scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)],
        ssl_context=TlsServer(hospital.files(name), Bindings(), utc_now).context(),
    )
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


@pytest.mark.parametrize(("name", "is_told"), [("CT1", True), ("CT2", False)])
def test_the_report_goes_to_the_one_that_asked(serve: Serve, hospital: Hospital, name: str, is_told: bool) -> None:
    port, told = free_port(), list[str]()
    with listening(hospital, name, port, told):
        service = serve("intake", settings={**settings(hospital), "dimse__commitment_peers": f"CT1@127.0.0.1:{port}"})
        assert ask(service, hospital) == 0x0000
        if is_told:
            until(lambda: told, 20, "the report")
            assert told == [TRANSACTION]
        else:
            wanted = "no DICOM TLS: its certificate names neither CT1 nor 127.0.0.1"
            until(lambda: wanted in service.log.read_text(), 20, "the refusal")
            assert told == []
        service.stop()
