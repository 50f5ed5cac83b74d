"""A closer look in the browser: full resolution and heat map where they are allowed, and nothing of them where not."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched
from tests.films import film
from tests.unit.web.pictures import Room
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Role
from triage.web.identity import name_of
from triage.web.lightbox import CAUTION, Rules

pytestmark = pytest.mark.browser

Serve = Callable[..., Site]
SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"
RULES = Rules(models=Path("/nonexistent"), min_age_years=16)
REDRAW_MS = 78


def opened(serve: Serve, watched: Watched, room: Room, role: Role = Role.RADIOLOGIST, **options: object) -> Page:
    site = serve(room.database, films=room.films, authenticator=SignedIn(role), who=name_of, **options)
    with room.database.read() as tx:
        uid = tx.worklist()[0].study_instance_uid
    watched.page.goto(f"{site.url}/study/{uid}")
    expect(watched.page.locator("#film .readout")).to_contain_text("100 %")
    return watched.page


def large() -> Room:
    """A film of 3000 × 2500 with two images."""
    room = Room()
    y, x = np.mgrid[0:3000, 0:2500]
    pixels = ((np.sin(x / 90) * np.cos(y / 70) + 1) * 2000).astype("<u2")
    room.store(film(rows=3000, columns=2500, PixelData=pixels.tobytes()), datetime.now(UTC))
    room.store(film(sop_uid="1.2.3.1.2", rows=1100, columns=900), datetime.now(UTC) + timedelta(minutes=1))
    return room


def test_off_there_is_no_button_no_key_and_no_request(serve: Serve, watched: Watched) -> None:
    room = Room()
    room.store(film(), datetime.now(UTC))
    page = opened(serve, watched, room)
    for key in "fh":
        expect(page.locator(f'[data-key="{key}"]')).to_have_count(0)
        page.keyboard.press(key)
    page.keyboard.press("i")
    expect(page.locator("#film .readout")).to_contain_text("inverted")
    expect(page.locator(".heat")).to_have_count(0)
    assert not [url for url in watched.requests if url.endswith(("frame.raw", "heat_map"))]
    assert watched.console == []


@pytest.mark.soak
def test_full_resolution_keeps_window_and_place_and_stays_on(serve: Serve, watched: Watched) -> None:
    page = opened(serve, watched, large(), full_frames=True)
    readout, detail = page.locator("#film .readout"), page.locator("#film .detail")
    for key in ("ArrowUp", "+", "+", "Shift+ArrowUp", "i"):
        page.keyboard.press(key)
    expect(readout).to_contain_text("156 %")
    before = readout.inner_text()
    page.keyboard.press("f")
    expect(detail).to_have_text("full resolution, 2500 × 3000")
    expect(readout).to_have_text(before)
    expect(page.locator('[data-key="f"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#film canvas")).to_have_attribute("aria-label", re.compile("full resolution, not for diagnostic use"))
    page.keyboard.press(".")
    expect(detail).to_have_text("full resolution, 900 × 1100")
    page.keyboard.press(",")
    expect(detail).to_have_text("full resolution, 2500 × 3000")
    page.keyboard.press("f")
    expect(detail).to_have_text("")
    expect(page.locator("#film canvas")).to_have_attribute("aria-label", re.compile("preview, not for diagnostic use"))
    assert watched.console == []
    page.keyboard.press("f")
    expect(detail).to_have_text("full resolution, 2500 × 3000")
    took = page.evaluate(
        """async () => {
          const canvas = document.querySelector("#film canvas");
          const took = [];
          for (let i = 0; i < 15; i++) {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: i % 2 ? "ArrowUp" : "ArrowRight", bubbles: true }));
            await new Promise(requestAnimationFrame);
            const begun = performance.now();
            canvas.getContext("2d").getImageData(0, 0, 1, 1); // what was put off is done now
            took.push(Number(canvas.dataset.redraw) + performance.now() - begun);
          }
          return took.sort((one, other) => one - other);
        }"""
    )
    print(f"redraw at 7.5 million pixels: median {took[7]:.1f} ms, worst {took[-1]:.1f} ms")
    assert took[3] < REDRAW_MS  # the machine may be busy with something else: what it can do when it is not


def test_a_heat_map_comes_with_its_words_and_goes_with_its_film(serve: Serve, watched: Watched) -> None:
    room = Room()
    room.store((SAMPLES / "film_01.dcm").read_bytes(), datetime.now(UTC))
    page = opened(serve, watched, room, heat_map=RULES)
    caution, legend = page.locator("#film .caution"), page.locator("#film .legend")
    expect(caution).to_be_hidden()
    plain = picture(page)
    page.keyboard.press("h")
    expect(caution).to_be_visible()
    expect(caution).to_have_text(CAUTION)
    expect(legend).to_be_visible(timeout=30_000)
    expect(legend).to_contain_text("its odds change 1.3-fold or more; outlined, 2-fold or more")
    expect(page.locator("#film .told")).to_contain_text("Score 0.59.")
    expect(page.locator("#film .heat .unseen")).to_contain_text("squares that raised the score")
    expect(page.locator('[data-key="h"]')).to_have_attribute("aria-pressed", "true")
    assert picture(page) != plain
    page.keyboard.press("h")
    expect(caution).to_be_hidden()
    assert watched.console == []


def test_a_film_without_heat_map_says_why(serve: Serve, watched: Watched) -> None:
    room = Room()
    room.store(film(view="LL"), datetime.now(UTC))
    page = opened(serve, watched, room, heat_map=RULES)
    page.keyboard.press("h")
    expect(page.locator("#film .told")).to_have_text(
        "This image cannot be shown: no frontal view, only lateral or oblique.", timeout=30_000
    )
    expect(page.locator("#film .legend")).to_be_hidden()


def test_hatching_lies_where_the_film_lies_and_needs_no_colour(serve: Serve, watched: Watched) -> None:
    room = Room()
    room.store(film(rows=100, columns=200), datetime.now(UTC))
    page = opened(serve, watched, room)
    values = [[0.0] * 4 for _ in range(4)]
    values[1][2], values[3][0] = 0.9, -0.9
    found = page.evaluate(
        """async (values) => {
          const { overlay, words } = await import("/static/heat_map.js");
          const sheet = Object.assign(document.createElement("canvas"), { width: 400, height: 300 });
          const context = sheet.getContext("2d", { willReadFrequently: true });
          const map = { grid: { rows: 4, columns: 4 }, levels: [0.3, 0.7], values, probability: 0.5, model: "m" };
          overlay(map)(context, [100, 50, 200, 100], 1);
          const drawn = [];
          for (let r = 0; r < 6; r++) for (let c = 0; c < 6; c++) {
            const { data } = context.getImageData(50 + c * 50 + 8, 25 + r * 25 + 8, 34, 9);
            if (data.some((one) => one)) drawn.push([r - 1, c - 1]);
          }
          return { drawn, words: words(map) };
        }""",
        values,
    )
    assert found["drawn"] == [[1, 2], [3, 0]]
    assert "raised the score: 1, most in row 2, column 3; lowered it: 1, most in row 4, column 1" in found["words"]["long"]


def picture(page: Page) -> str:
    drawn = "async (c) => { await new Promise(requestAnimationFrame); return c.toDataURL(); }"
    return str(page.locator("#film canvas").evaluate(drawn))
