"""``python -m tests.browser.screenshots``: the pictures in docs/screenshots, made anew from ``triage demo`` in Chromium."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZE = {"width": 1280, "height": 800}
THEMES = ("dark", "light")


def started() -> tuple[subprocess.Popen[str], str, str]:
    """The demonstration, its address and the radiologist's password."""
    service = subprocess.Popen([sys.executable, "-m", "triage", "demo"], stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    address = password = ""
    while not (address and password):
        line = service.stdout.readline()
        assert line, "the demonstration ended"
        if found := re.search(r"live at (\S+)/ ", line):
            address = found[1]
        if found := re.search(r"radiologist\s+password (\S+)", line):
            password = found[1]
    return service, address, password


def tour(page: Page, address: str, theme: str) -> None:
    """The list with a claim, a study, the verdict; the study is read."""

    def shot(name: str) -> None:
        page.screenshot(path=FOLDER / f"{name}-{theme}.png")

    page.goto(address)
    page.locator("#live[data-state=live]").wait_for()
    page.keyboard.press("n")
    page.keyboard.press("c")
    page.locator("tr.mine").wait_for()
    shot("worklist")
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/**")
    page.locator("#film .readout", has_text="%").wait_for()
    shot("study")
    page.keyboard.press("m")
    page.locator("#verdict[open]").wait_for()
    shot("verdict")
    page.keyboard.press("1")
    page.locator("#undo:not([hidden])").wait_for()


def main() -> int:
    """Both themes, one after the other."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    service, address, password = started()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            for theme in THEMES:
                context = browser.new_context(viewport=SIZE)
                context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
                page = context.new_page()
                page.goto(address)
                page.fill("#name", "radiologist")
                page.fill("#password", password)
                page.keyboard.press("Enter")
                page.wait_for_url(f"{address}/")
                tour(page, address, theme)
                context.close()
            browser.close()
    finally:
        service.terminate()
        service.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
