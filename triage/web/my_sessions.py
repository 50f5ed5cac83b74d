"""Where one is signed in, and ending it everywhere else; one's own tokens, and revoking them."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triage.domain.account import Identity, UnknownAccount
from triage.services.accounts import Accounts
from triage.web.answers import Json
from triage.web.html import present
from triage.web.text import clock_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A session as its person sees it; ``this``: the one that asks. Nothing that would open it."""

    signed_in_at: str
    since: str
    seen_at: str
    seen: str
    this: bool


def rows_of(accounts: Accounts, who: Identity) -> list[Row]:
    """The sessions of the one who asks, the oldest first."""
    now = accounts.clock()
    return [
        Row(
            signed_in_at=one.signed_in_at.isoformat(),
            since=clock_time(one.signed_in_at, now),
            seen_at=one.seen_at.isoformat(),
            seen=clock_time(one.seen_at, now),
            this=one.digest == who.session,
        )
        for one in accounts.my_sessions(who.name)
    ]


def router(accounts: Accounts) -> APIRouter:
    """The API, and the page's button."""
    routes = APIRouter()

    @routes.get("/api/v1/me/sessions", summary="Where I am signed in", tags=["account"])
    def sessions() -> Json:
        rows = rows_of(accounts, _who())
        return Json([{"signed_in_at": one.signed_in_at, "seen_at": one.seen_at, "this": one.this} for one in rows])

    @routes.post("/api/v1/me/sessions/end-others", summary="Sign me out everywhere else", tags=["account"])
    def end_others() -> Json:
        return Json({"ended": accounts.end_others(_who())})

    @routes.get("/api/v1/me/tokens", summary="When my tokens were issued", tags=["account"])
    def tokens() -> Json:
        return Json([{"issued_at": one.issued_at.isoformat()} for one in accounts.my_tokens(_who().name)])

    @routes.post("/api/v1/me/tokens/revoke", summary="Revoke all my tokens", tags=["account"])
    def revoke() -> Json:
        return Json({"revoked": _revoke_mine(accounts)})

    @routes.post("/password/revoke-tokens", include_in_schema=False, response_class=HTMLResponse)
    def revoke_from_page() -> Response:
        _revoke_mine(accounts)
        return RedirectResponse("/password", 303)

    @routes.post("/password/end-others", include_in_schema=False, response_class=HTMLResponse)
    def end_others_from_page() -> Response:
        accounts.end_others(_who())
        return RedirectResponse("/password", 303)

    return routes


def _revoke_mine(accounts: Accounts) -> int:
    name = _who().name
    try:
        return accounts.revoke_tokens(name, name)
    except UnknownAccount:  # known to another authenticator only: no token of ours either
        return 0


def _who() -> Identity:
    who = present.get()
    assert who is not None  # behind the gate
    return who
