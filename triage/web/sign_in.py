"""Signing in and out, and changing the own password."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triage.domain.account import AccountInvalid, Identity, SignInRefused, SignInThrottled, UnknownAccount
from triage.domain.figures import SIGN_INS
from triage.services.accounts import Accounts
from triage.services.tally import Tally
from triage.web.external import External
from triage.web.html import Html, present
from triage.web.identity import cookie_of, form_of
from triage.web.my_sessions import rows_of
from triage.web.text import full_time

MAX_PATH = 1000
"""Characters of a page to return to; our own are shorter, and it is kept while somebody is at the identity provider."""
PASSWORDS_AT_ONCE = 4
"""To compare one takes tens of megabytes and all of a processor; the others wait without holding a thread."""
COOKIE, SECURE_COOKIE = "triage-session", "__Host-triage-session"


def cookie_name(public_url: str) -> str:
    """Behind TLS the name binds the cookie to exactly this host (RFC 6265bis 4.1.3.2)."""
    return SECURE_COOKIE if is_secure(public_url) else COOKIE


def is_secure(public_url: str) -> bool:
    """Whether people reach the pages by TLS."""
    return public_url.startswith("https://")


def own_path(asked: str) -> str:
    """Where to go after signing in: a path of this service, else the worklist."""
    plain = len(asked) <= MAX_PATH and asked.isascii() and asked.isprintable() and "\\" not in asked
    if not plain or not asked.startswith("/") or asked.startswith("//"):
        return "/"
    parts = urlsplit(asked)
    return asked if not parts.scheme and not parts.netloc and parts.path not in ("/sign-in", "/sign-out") else "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The steps behind the three addresses."""

    accounts: Accounts
    html: Html
    public_url: str
    external: External | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def cookie(self) -> str:
        """The session cookie's name."""
        return cookie_name(self.public_url)

    def page(self, asked: str, error: str = "", name: str = "", status: int = 200, *, left: bool = False) -> HTMLResponse:
        """The form, the way to the provider, or both. ``left``: just signed out here, of what the provider opened."""
        values = {"next": asked, "error": error, "name": name, "external": self.external, "left": left}
        return self.html("sign_in.html", values, status)

    def opened(self, secret: str, asked: str) -> Response:
        """To the page that was asked for, with the session's cookie."""
        answer = RedirectResponse(asked, 303)
        answer.set_cookie(self.cookie, secret, httponly=True, samesite="lax", secure=is_secure(self.public_url), path="/")
        return answer

    def enter(self, request: Request, form: dict[str, str]) -> Response:
        """Check what was typed; a new session each time, whatever cookie came along."""
        asked, name = own_path(form.get("next", "/")), form.get("name", "")
        if self.external is not None and not self.external.passwords:
            return self.page(asked, "Nobody signs in with a password here.", status=403)
        address = request.client.host if request.client else ""
        former = cookie_of(request.headers, self.cookie)
        try:
            secret = self.accounts.sign_in(name, form.get("password", ""), address, former)
        except SignInThrottled as error:
            self.tally.add(SIGN_INS, outcome="throttled")
            page = self.page(asked, sentence(error), name, 429)
            page.headers["Retry-After"] = str(int(error.wait.total_seconds()) + 1)
            return page
        except SignInRefused as error:
            self.tally.add(SIGN_INS, outcome="refused")
            return self.page(asked, sentence(error), name, 401)
        self.tally.add(SIGN_INS, outcome="ok")
        return self.opened(secret, asked)

    def leave(self, request: Request) -> Response:
        """End the session here and in the browser."""
        self.accounts.sign_out(cookie_of(request.headers, self.cookie))
        who = present.get()
        elsewhere = who is not None and who.external and self.external is not None
        answer = RedirectResponse("/sign-in?left=1" if elsewhere else "/sign-in", 303)
        answer.delete_cookie(self.cookie, httponly=True, samesite="lax", secure=is_secure(self.public_url), path="/")
        return answer

    def account(self, who: Identity, error: str = "", status: int = 200) -> HTMLResponse:
        """The own account: another password, and where one is signed in."""
        tokens = [full_time(one.issued_at) for one in self.accounts.my_tokens(who.name)]
        values = {"error": error, "must": who.must_change, "sessions": rows_of(self.accounts, who), "tokens": tokens}
        return self.html("password.html", values, status)

    def change(self, form: dict[str, str]) -> Response:
        """Another password, with the present one as proof; then sign in anew."""
        who = present.get()
        assert who is not None  # the gate lets nobody else through
        new = form.get("new", "")
        try:
            if new != form.get("again", ""):
                raise AccountInvalid("the two new passwords differ")
            self.accounts.change_password(who.name, form.get("present", ""), new)
        except (AccountInvalid, UnknownAccount, SignInRefused) as error:
            status = 429 if isinstance(error, SignInThrottled) else 400
            return self.account(who, sentence(error), status)
        return RedirectResponse("/sign-in", 303)


def router(steps: SignIn) -> APIRouter:
    """The three addresses."""
    steps.accounts.warm_up()
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    places = asyncio.Semaphore(PASSWORDS_AT_ONCE)

    @routes.get("/sign-in")
    def sign_in(next: str = "/", left: bool = False) -> HTMLResponse:
        return steps.page(own_path(next), left=left)

    @routes.post("/sign-in")
    async def enter(request: Request) -> Response:
        form = form_of(request.headers, await request.body())
        async with places:
            return await run_in_threadpool(steps.enter, request, form)

    @routes.post("/sign-out")
    def leave(request: Request) -> Response:
        return steps.leave(request)

    @routes.get("/password")
    def password() -> HTMLResponse:
        who = present.get()
        assert who is not None  # the gate lets nobody else through
        return steps.account(who)

    @routes.post("/password")
    async def change(request: Request) -> Response:
        form = form_of(request.headers, await request.body())
        async with places:
            return await run_in_threadpool(steps.change, form)

    return routes


def sentence(error: Exception) -> str:
    """An error's message as a page says it."""
    text = str(error).removeprefix("password: ")
    return f"{text[0].upper()}{text[1:]}."
