"""Marked patients go through the whole service, failing films among them; then every place that is no store is searched."""

import http.client
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.integration.conftest import Serve
from tests.integration.modality import modality
from tests.integration.objects import ROOT, data_of, film, part10, sop_uid, study_uid
from tests.integration.service import Service, until
from triage.web.permissions import ROUTES

pytestmark = pytest.mark.browser

MARK = "KQZX"
BIRTH_DATE = "18730417"
TAGS = (
    "PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyDescription", "InstitutionName", "StudyID",
    "InstitutionAddress", "PatientComments", "PatientAddress", "OtherPatientIDs", "ReferringPhysicianName", "OperatorsName",
    "ImageComments", "SeriesDescription", "RequestedProcedureDescription", "StationName", "PatientTelephoneNumbers",
    "MedicalRecordLocator",
)  # fmt: skip
PASSWORD = "four quiet herons wade"
NAME = f"{MARK}FAMILY^{MARK}GIVEN"


def marked(number: int, image: int = 1, **changes: Any) -> bytes:
    """A film whose every identifying tag carries the mark."""
    values: dict[str, Any] = {tag: f"{MARK}{place:02d}N{number}" for place, tag in enumerate(TAGS)}
    return film(number, image, **{**values, "PatientName": NAME, "PatientBirthDate": BIRTH_DATE, **changes})


def sent(service: Service) -> None:
    """Films that are assessed, and films that fail in every way."""
    good = [marked(1), marked(1, 2, ViewPosition="LL"), marked(2), marked(3, PatientAge="004Y"), marked(4, Modality="CT")]
    broken = [
        marked(5, PixelData=b"\0" * 7),
        marked(6, BitsStored=99),
        marked(7, Rows=0),
        marked(8, PhotometricInterpretation=f"{MARK}PI"),
        marked(9, StudyInstanceUID=f"{MARK}.1.2"),
        marked(10, StudyInstanceUID=None),
        marked(11, SOPInstanceUID=f"{ROOT}.0{MARK}"),
        marked(12, PatientID=f"{MARK}\r\nlevel=error"),
        marked(1, PatientName=f"{MARK}OTHER^{MARK}BYTES"),
        part10(data_of(marked(13))[:-900], sop_instance_uid=sop_uid(13)),
        part10(data_of(marked(14))[5:], sop_instance_uid=sop_uid(14)),
        part10(f"{MARK} garbage".encode() * 40, sop_instance_uid=sop_uid(15)),
        part10(data_of(marked(16)), sop_instance_uid=sop_uid(17)),
    ]
    for one in [*good, *broken]:  # each alone: a refusal may end the association
        try:
            with modality(service.dimse_port) as sender:
                sender.store(one)
        except (AssertionError, ValueError, RuntimeError, OSError):
            continue


class Asked:
    """Answers to a script, and what of them must hold no patient: refusals, and the pages for machines."""

    def __init__(self, service: Service) -> None:
        self.service, self.told = service, {"refusals": b""}

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        with closing(http.client.HTTPConnection("127.0.0.1", self.service.web_port, timeout=30)) as connection:
            headers = {"Authorization": f"Bearer {self.service.token}", "Content-Type": kind}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= 400:
                self.told["refusals"] += str(answer.getheaders()).encode() + content
            elif path in ("/metrics", "/readyz", "/livez", "/api/openapi.json"):
                self.told[path] = content
            return content


def used(service: Service) -> Asked:
    """Every address, for a study that is there; bad requests whose contents are a patient's."""
    asked = Asked(service)
    for route, methods in ROUTES.items():
        if "GET" in methods and route != "/events":
            start, brace, rest = route.partition("{")
            value = (sop_uid(1) if "instances" in route else study_uid(1)) if brace else ""
            asked.ask("GET", start + value + rest.partition("}")[2])
    for number in range(1, 17):
        asked.ask("GET", f"/api/v1/instances/{sop_uid(number)}/preview.png")
    asked.ask("GET", "/readyz")
    step = f"/api/v1/studies/{study_uid(1)}"
    asked.ask("POST", f"{step}/claim")
    bad = {"note": f"{MARK} {NAME} " * 300, "verdict": NAME, NAME: MARK}
    for body in (
        json.dumps(bad).encode(),
        f'{{"note": "{NAME}'.encode(),
        json.dumps([NAME]).encode(),
        b'{"note":"' + NAME.encode() * 90_000,
    ):
        asked.ask("POST", f"{step}/read", body)
        asked.ask("POST", "/sign-in", body, "application/x-www-form-urlencoded")
    asked.ask("POST", f"{step}/read", json.dumps({"verdict": "agree", "note": NAME}).encode())
    return asked


@pytest.fixture
def page() -> Iterator[Page]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium: install it (Debian: chromium) or name it in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser.new_page()
        browser.close()


STORAGE = """async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, await indexedDB.databases(),
  await caches.keys(), history.length, location.href, document.title])"""


def looked_at(page: Page, service: Service) -> bytes:
    """What a reader's visit leaves in the browser and on the wire: addresses, titles, console, storage, cookies."""
    kept: list[str] = []
    page.on("request", lambda request: kept.append(f"{request.url} {request.headers.get('referer', '')}"))
    page.on("console", lambda message: kept.append(message.text))
    home = f"http://127.0.0.1:{service.web_port}"
    page.goto(f"{home}/")
    page.locator("[name=name]").fill("reader")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(f'[id="study-{study_uid(2)}"]').wait_for()
    search = page.locator("input[type=search]")
    if search.count():
        search.first.fill(f"{MARK}FAMILY")
        page.keyboard.press("Enter")
        page.locator(f'[id="study-{study_uid(2)}"]').wait_for()
    kept.append(page.evaluate(STORAGE))
    page.goto(f"{home}/study/{study_uid(2)}")
    page.locator("#film .readout:not(:empty), #film .problem:not([hidden])").first.wait_for(state="attached")
    assert MARK in page.content(), "the reader sees whose film it is"
    kept += [page.evaluate(STORAGE), str(page.context.cookies())]
    return "\n".join(kept).encode()


def names_and_contents(folder: Path, leave_out: Callable[[Path], bool]) -> dict[str, bytes]:
    """Every name under a folder, and what the files hold that are not left out."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = "\n".join(str(path.relative_to(folder)) for path in folder.rglob("*")).encode()
    return {"names": names} | {str(path.relative_to(folder)): path.read_bytes() for path in files if not leave_out(path)}


def is_store(path: Path) -> bool:
    """Where patients belong: kept objects and the database with its audit; models hold no patient and are large."""
    return path.name.startswith("triage.db") or bool({"instances", "models"} & set(path.parts))


@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")  # the sender's own, of what is sent on purpose
def test_no_patient_outside_store_database_and_audit(serve: Serve, page: Page, tmp_path: Path) -> None:
    scratch, outside = tmp_path / "scratch", tmp_path / "outbox"
    scratch.mkdir()
    outside.mkdir()
    system = set(Path("/tmp").iterdir())
    service = serve(network=True, environment={"TMPDIR": str(scratch)})
    sent(service)
    (outside / "film.dcm").write_bytes(marked(20))
    commands = b""
    for command in (
        ["send", str(outside / "film.dcm"), "--to", f"TRIAGE@127.0.0.1:{service.dimse_port}"],
        ["verify"],
        ["check"],
    ):
        done = service.triage(*command)
        commands += (done.stdout + done.stderr).encode()
    until(lambda: all(row["level"] != "pending" for row in service.worklist()), 60, "assessed")
    first = service.pid("worker")
    os.kill(first, signal.SIGKILL)
    with modality(service.dimse_port) as sender:
        assert sender.store(marked(21)) == 0
    until(
        lambda: service.pid("worker") != first and all(row["level"] != "pending" for row in service.worklist()),
        60,
        "back again",
    )
    asked = used(service)
    made = service.triage("users", "add", "reader", "--role", "radiologist", "--password-stdin", given=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    visit = looked_at(page, service)
    assert len(service.worklist()) >= 6
    arguments = b"".join(Path(f"/proc/{service.pid(role)}/cmdline").read_bytes() for role in service.roles)
    bundle = tmp_path / "case.zip"
    done = service.triage("support", str(bundle), "--log", str(service.log))
    assert done.returncode == 0, done.stderr
    at_work = names_and_contents(scratch, lambda _: False)
    service.stop()

    places: dict[str, bytes] = {"log": service.log.read_bytes(), "commands": commands, "browser": visit, "arguments": arguments}
    places |= {f"answer {name}": content for name, content in asked.told.items()}
    places |= {f"home {name}": content for name, content in names_and_contents(service.home, is_store).items()}
    places |= {f"scratch {name}": content for name, content in names_and_contents(scratch, lambda _: False).items()}
    places |= {f"scratch, at work, {name}": content for name, content in at_work.items()}
    with zipfile.ZipFile(bundle) as parts:
        packed = {f"support {name}": parts.read(name) for name in parts.namelist()}
    assert len(packed["support log-1.jsonl"].splitlines()) > 20
    assert [name for name, content in packed.items() if ROOT.encode() in content or b"reader" in content] == []
    places |= packed
    for path in Path("/tmp").iterdir():
        if path not in system and path.is_file() and os.access(path, os.R_OK) and path.stat().st_size < 1 << 24:
            places[str(path)] = path.name.encode() + path.read_bytes()
    hits = [
        (place, content[max(0, at - 80) : at + 80])
        for place, content in places.items()
        for mark in (MARK.encode(), BIRTH_DATE.encode())
        if (at := content.upper().find(mark)) >= 0
    ]
    lines = len(places["log"].splitlines())
    print(f"{len(TAGS) + 2} canaries × {len(places)} places ({lines} lines of log among them): {len(hits)} hits")
    assert hits == []
    kept = b"".join(path.read_bytes() for path in service.home.rglob("*") if path.is_file() and is_store(path))
    assert MARK.encode() in kept, "the search finds what is there"
    assert f"{MARK}FAMILY" in kept.decode("latin-1")
