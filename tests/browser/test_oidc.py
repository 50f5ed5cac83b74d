"""The button, the hospital's sign-in page, and back, in a real browser under the strict policy of the pages."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.integration.hospital import LABEL, hospital

pytestmark = pytest.mark.browser


def test_the_button_leads_to_the_provider_and_back(watched: Watched) -> None:
    with hospital() as world:
        world.idp.consent = True
        page = watched.page
        page.goto(f"{world.site.url}/study/1.2.1")
        assert page.url.startswith(f"{world.site.url}/sign-in")
        page.keyboard.press("Enter")  # the button has the focus: a reader signs in without a mouse
        page.get_by_role("link", name="I am Anna").click()
        page.wait_for_url(f"{world.site.url}/study/1.2.1")
        expect(page.get_by_role("link", name="anna")).to_be_visible()
        assert "code=" not in page.evaluate("JSON.stringify(performance.getEntriesByType('navigation').map(one => one.name))")
        page.get_by_role("link", name="anna").click()
        expect(page.get_by_role("heading", name="My account")).to_be_visible()
        expect(page.get_by_role("cell", name="this browser")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name=LABEL)).to_be_visible()
        page.get_by_role("link", name="sign out of the hospital account, too").click()
        expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
        page.get_by_role("link", name="back").click()
        expect(page.get_by_role("link", name=LABEL)).to_be_visible()
        hosts = {f"http://{url.split('/')[2]}" for url in watched.requests}
        assert hosts == {world.site.url, world.idp.issuer}
        assert [line for line in watched.console if "favicon" not in line and "404" not in line] == []
