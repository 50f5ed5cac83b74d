"""OHIF, unmodified, on our DICOMweb: the study list in our order, and a film on the screen. TRIAGE_OHIF names its ``dist``."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.integration.conftest import running
from tests.integration.service import Service, until

pytestmark = [pytest.mark.browser, pytest.mark.soak]
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = [ROOT / "sample_dicom" / f"film_{number:02}.dcm" for number in (1, 2, 7)]
PASSWORD = "four quiet herons wade"
WITHIN_MS = 90_000


@pytest.fixture(scope="module")
def dist() -> Path:
    named = os.environ.get("TRIAGE_OHIF")
    if not named:
        pytest.skip("no OHIF: npm pack @ohif/app@3.13.2, unpack it, and name its folder dist in TRIAGE_OHIF")
    return Path(named)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("ohif") / "home", ("intake", "web"))) as service:
        sent = service.triage("send", *map(str, SAMPLES), "--to", f"TRIAGE@127.0.0.1:{service.dimse_port}")
        assert sent.returncode == 0, sent.stderr
        made = service.triage("users", "add", "anna", "--role", "radiologist", "--password-stdin", given=f"{PASSWORD}\n")
        assert made.returncode == 0, made.stderr
        yield service


@pytest.fixture(scope="module")
def viewer(dist: Path, service: Service) -> Iterator[str]:
    command = [sys.executable, str(ROOT / "deploy" / "ohif" / "serve.py"), str(dist), "--port", "0"]
    server = subprocess.Popen([*command, "--triage", f"http://127.0.0.1:{service.web_port}"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"(http://\S+?)/\n", server.stdout.readline())
    assert found
    yield found[1]
    server.terminate()
    server.wait(10)
    server.stdout.close()


def signed_in(browser: Browser, service: Service) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(WITHIN_MS)
    page.goto(f"http://127.0.0.1:{service.web_port}/sign-in")
    page.fill("[name=name]", "anna")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(password)?$"))
    return page


def test_ohif_lists_studies_in_our_order_and_shows_a_film(
    browser: Browser, service: Service, viewer: str, tmp_path: Path
) -> None:
    page = signed_in(browser, service)
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.goto(viewer)
    listed = [row["patient_name"].partition("^")[0] for row in service.worklist()]
    page.get_by_text(listed[0]).first.wait_for()
    text = page.inner_text("body")
    places = [text.index(one) for one in listed]
    assert places == sorted(places), "not by the date of the study, as OHIF would by itself"
    uid = service.worklist()[0]["study_instance_uid"]
    page.goto(f"{viewer}/viewer?StudyInstanceUIDs={uid}")
    page.get_by_text("Skip all").click()  # a tour of OHIF's, which lays a shade over the film
    page.get_by_text("Confirm and hide").click()
    picture = Path(os.environ.get("TRIAGE_OHIF_PICTURE", tmp_path / "ohif.png"))

    def shown() -> bool:
        page.locator(".cornerstone-canvas").first.screenshot(path=tmp_path / "film.png")
        grey = np.asarray(Image.open(tmp_path / "film.png").convert("L"))
        return bool(grey.std() > 30 and len(np.unique(grey)) > 100)

    until(shown, WITHIN_MS / 1000, "a film on the screen", every=1.0)
    page.screenshot(path=picture)
    assert [one for one in failed if "/dicomweb/" in one] == []


def test_a_stranger_sees_no_study(browser: Browser, viewer: str) -> None:
    page = browser.new_context().new_page()
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "/dicomweb/studies" in answer.url else None)
    page.goto(viewer)
    until(lambda: page.wait_for_timeout(100) or answers, WITHIN_MS / 1000, "OHIF asks for studies")
    assert set(answers) == {401}
