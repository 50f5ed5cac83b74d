"""Accounts: who has one, and the steps that change them. One table of steps serves pages and programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triage.domain.account import AccountInvalid, LastAdministrator, Role, UnknownAccount
from triage.services.accounts import Accounts
from triage.services.roster import Person, roster
from triage.web.admin.frame import asker, framed, with_form
from triage.web.answers import Json
from triage.web.html import Html
from triage.web.text import full_time

PATH = "/admin/users"
ROLE_WORDS: dict[Role, str] = {
    Role.VIEWER: "viewer: sees the list",
    Role.RADIOLOGIST: "radiologist: reads from the list",
    Role.PACS_ADMIN: "PACS administrator: system, senders, users, policy",
    Role.ML_ADMIN: "ML administrator: models",
    Role.AUDITOR: "auditor: the audit and nothing else",
    Role.SERVICE: "service: a program, by token",
}
Given = Mapping[str, str]
Change = Callable[[Accounts, str, str, Given], str | None]
"""Accounts, whose, by whom, what was given; returns a secret that is told once, or nothing."""


class NotMeant(AccountInvalid):
    """A change of the own account that was not confirmed."""


class NotOurs(AccountInvalid):
    """A change of what the identity provider decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What can be done to an account. ``own``: done to oneself it shuts the door, so that it has to be confirmed.

    ``local``: not to one that signs in by the identity provider.
    """

    change: Change
    summary: str
    own: bool = False
    local: bool = False


def _role(accounts: Accounts, name: str, by: str, given: Given) -> None:
    accounts.set_role(name, role_of(given), by)


def _disable(accounts: Accounts, name: str, by: str, _: Given) -> None:
    accounts.set_disabled(name, True, by)


def _enable(accounts: Accounts, name: str, by: str, _: Given) -> None:
    accounts.set_disabled(name, False, by)


def _password(accounts: Accounts, name: str, by: str, _: Given) -> str:
    password = accounts.secret()
    accounts.set_password(name, password, by, must_change=True)
    return password


def _sessions(accounts: Accounts, name: str, by: str, _: Given) -> None:
    accounts.end_sessions(name, by)


def _token(accounts: Accounts, name: str, by: str, _: Given) -> str:
    return accounts.issue_token(name, by)


def _revoke(accounts: Accounts, name: str, by: str, _: Given) -> None:
    accounts.revoke_tokens(name, by)


STEPS: dict[str, Step] = {
    "role": Step(change=_role, summary="Give an account another role; its sessions and tokens end", own=True, local=True),
    "disable": Step(change=_disable, summary="Shut an account; its sessions end, its tokens are revoked", own=True),
    "enable": Step(change=_enable, summary="Open an account again"),
    "password": Step(
        change=_password, summary="Give a one-time password, told once; sessions and tokens end", own=True, local=True
    ),
    "sessions": Step(change=_sessions, summary="Sign an account out everywhere", own=True),
    "token": Step(change=_token, summary="Issue a bearer token to an account of role service, told once"),
    "revoke": Step(change=_revoke, summary="Revoke every token of an account"),
}
SECRETS = {"password": "One-time password", "token": "Bearer token"}


class NewAccount(BaseModel):
    """``sign_in``: *password* gives a one-time password, *token* a bearer token; either is told once, in the answer."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    role: Role
    sign_in: str = Field(default="password", pattern="^(password|token)$")


class Details(BaseModel):
    """``role``: with the step *role*. ``confirm``: the own name, where a step shuts one's own account out."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    confirm: str | None = Field(default=None, max_length=200)


def role_of(given: Given) -> Role:
    """The role that was given.

    Raises:
        AccountInvalid: there is no such role.
    """
    try:
        return Role(given.get("role", ""))
    except ValueError:
        raise AccountInvalid(f"role: give one of {', '.join(Role)}") from None


def take(accounts: Accounts, step: str, name: str, by: str, given: Given) -> str | None:
    """One step; returns a secret that is told once, or nothing.

    Raises:
        UnknownAccount: no such account.
        NotMeant: it is one's own account, and that was not confirmed by its name.
        NotOurs: the identity provider decides on that.
        AccountInvalid: what was given cannot be used, or nobody would be left who may look after accounts.
    """
    name = name.strip().lower()  # as accounts are named, or another spelling would go unconfirmed
    if STEPS[step].own and name == by and given.get("confirm", "").strip().lower() != by:
        raise NotMeant(f"this is your own account, and you will be signed out; type your name ({by}) to confirm")
    if STEPS[step].local and accounts.is_external(name):
        raise NotOurs(f"{name} signs in with the hospital account: the provider decides; to keep {name} out, shut the account")
    return STEPS[step].change(accounts, name, by, given)


def add(accounts: Accounts, by: str, given: Given) -> tuple[str, str, str]:
    """A new account; returns its name, the kind of its secret, and the secret.

    Raises:
        AccountInvalid: the name is taken or malformed, or there is no such role.
    """
    role = role_of(given)
    if given.get("sign_in") == "token":
        if role is not Role.SERVICE:
            raise AccountInvalid("sign in: a token is for a program; choose the role service, or a one-time password")
        account = accounts.add(given.get("name", ""), role, by)
        return account.name, "token", accounts.issue_token(account.name, by)
    password = accounts.secret()
    return accounts.add(given.get("name", ""), role, by, password, must_change=True).name, "password", password


def pages(accounts: Accounts, html: Html) -> APIRouter:
    """The list, the page of an account, and a form for each step."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    show = framed(html, PATH)

    def everyone(error: str = "", given: Given | None = None, status: int = 200) -> HTMLResponse:
        people = [_row(person) for person in roster(accounts)]
        return show("users.html", {"people": people, "roles": ROLE_WORDS, "error": error, "given": given or {}}, status)

    def one(name: str, error: str = "", done: str = "", status: int = 200) -> HTMLResponse:
        person = next((person for person in roster(accounts) if person.account.name == name), None)
        if person is None:
            return everyone("No account has this name.", status=404)
        values = {"person": _row(person), "roles": ROLE_WORDS, "own": name == asker(), "error": error, "done": done}
        return show("user.html", values, status)

    def told(name: str, kind: str, secret: str) -> HTMLResponse:
        return show("user_secret.html", {"name": name, "kind": SECRETS[kind], "token": kind == "token", "secret": secret})

    @routes.get(PATH)
    def users() -> HTMLResponse:
        return everyone()

    @routes.post(PATH)
    async def new(request: Request) -> Response:
        def step(form: dict[str, str]) -> Response:
            try:
                return told(*add(accounts, asker(), form))
            except AccountInvalid as error:
                return everyone(_sentence(error), form, 400)

        return await with_form(request, step)

    @routes.get(f"{PATH}/{{name}}")
    def user(name: str, done: str = "") -> HTMLResponse:
        return one(name, done=DONE.get(done, ""))

    def endpoint(step: str) -> Callable[..., Any]:
        async def change(request: Request, name: str) -> Response:
            def taken(form: dict[str, str]) -> Response:
                try:
                    secret = take(accounts, step, name, asker(), form)
                except UnknownAccount:
                    return everyone("No account has this name.", status=404)
                except AccountInvalid as error:
                    return one(name, _sentence(error), status=_status(error))
                return told(name, step, secret) if secret else RedirectResponse(f"{PATH}/{name}?done={step}", 303)

            return await with_form(request, taken)

        return change

    for step in STEPS:
        routes.add_api_route(f"{PATH}/{{name}}/{step}", endpoint(step), methods=["POST"], response_model=None)
    return routes


DONE = {
    "role": "The role was changed; the account's sessions and tokens ended.",
    "disable": "The account is shut; its sessions ended, its tokens are worthless.",
    "enable": "The account is open again.",
    "sessions": "Every session of the account ended.",
    "revoke": "Every token of the account is worthless.",
}
"""What a page says after a step; the address carries the key only."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such account"},
    409: {"description": "The last administrator, the own account without `confirm`, or the identity provider decides"},
    422: {"description": "What was sent cannot be used"},
}


def api(accounts: Accounts) -> APIRouter:
    """The same for programs."""
    routes = APIRouter(prefix="/api/v1/users", tags=["administration"])

    @routes.get("", summary="Every account, with its role, state, sessions and tokens")
    def users() -> Json:
        return Json([_facts(person) for person in roster(accounts)])

    @routes.post("", summary="Add an account; its one-time password or token is told once", status_code=201, responses=ANSWERS)
    def new(account: NewAccount) -> Json:
        try:
            name, kind, secret = add(accounts, asker(), account.model_dump())
        except AccountInvalid as error:
            return Json({"detail": str(error)}, 422)
        return Json({"name": name, kind: secret}, 201)

    def endpoint(step: str) -> Callable[..., Json]:
        def change(name: str, details: Annotated[Details | None, Body()] = None) -> Json:
            given = {key: value for key, value in (details or Details()).model_dump().items() if value is not None}
            try:
                secret = take(accounts, step, name, asker(), given)
            except UnknownAccount:
                return Json({"detail": "no account has this name"}, 404)
            except AccountInvalid as error:
                return Json({"detail": str(error)}, 422 if _status(error) == 400 else 409)
            return Json({"name": name, step: secret} if secret else {"name": name})

        return change

    for step, known in STEPS.items():
        routes.add_api_route(
            f"/{{name}}/{step}",
            endpoint(step),
            methods=["POST"],
            summary=known.summary,
            operation_id=f"user_{step}",
            responses=ANSWERS,
        )
    return routes


def _status(error: AccountInvalid) -> int:
    return 409 if isinstance(error, LastAdministrator | NotMeant | NotOurs) else 400


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _facts(person: Person) -> dict[str, Any]:
    account = person.account
    return {
        "name": account.name,
        "role": account.role.value,
        "disabled": account.disabled,
        "password": account.password_hash is not None,
        "external": account.external,
        "must_change": account.must_change,
        "created_at": account.created_at.isoformat(),
        "seen_at": person.seen_at.isoformat() if person.seen_at else None,
        "sessions": person.sessions,
        "tokens": person.tokens,
    }


def _row(person: Person) -> dict[str, Any]:
    account = person.account
    return {
        "name": account.name,
        "role": account.role.value,
        "role_word": ROLE_WORDS[account.role].partition(":")[0],
        "disabled": account.disabled,
        "tone": "bad" if account.disabled else "poor" if account.must_change else "good",
        "state": person.state,
        "created": full_time(account.created_at),
        "seen": full_time(person.seen_at) if person.seen_at else "",
        "sessions": person.sessions,
        "tokens": person.tokens,
        "way": "hospital account" if account.external else "password" if account.password_hash else "token only",
        "external": account.external,
        "takes_token": account.role is Role.SERVICE,
    }
