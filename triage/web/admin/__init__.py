"""The pages for administrators and auditors, *About*, and the API of all of them."""

from fastapi import APIRouter

from triage.services.accounts import Accounts
from triage.web.admin import about, audit, deliveries, models, policy, senders, system, users
from triage.web.admin.installation import Installation
from triage.web.html import Html
from triage.web.site import Site


def routers(site: Site, html: Html, installation: Installation, accounts: Accounts | None) -> list[APIRouter]:
    """Every route. Without ``accounts`` there is nobody to look after."""
    found = [about.pages(html, installation), about.api(installation)]
    for part in (system, senders, deliveries, models, policy, audit):
        found += [part.pages(site, html, installation), part.api(site, installation)]
    return found if accounts is None else [*found, users.pages(accounts, html), users.api(accounts)]
