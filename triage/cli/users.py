"""``triage users``: accounts, roles, sessions, tokens."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, site
from triage.domain.account import AccountInvalid, Role, UnknownAccount

if TYPE_CHECKING:
    from triage.services.accounts import Accounts

Name = Annotated[str, typer.Argument(help="The account's name.", metavar="NAME")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Accounts: add, list, disable, enable, password, role, sessions, external.")
    group.command("add")(add)
    group.command("list")(list_users)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("password")(password)
    group.command("role")(role)
    group.command("sessions")(sessions)
    group.command("external")(external)
    app.add_typer(group, name="users")


def add(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="What the account is for.")],
    token: Annotated[bool, typer.Option("--token", help="Print a bearer token, once; no password.")] = False,
    password_stdin: FromStdin = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Add an account. A token of an account that is there already comes with --token, too."""
    accounts = _accounts(home, config)
    if not token:
        accounts.add(name, role, operator(), _new_password(password_stdin))
        typer.echo(f"added {name.strip().lower()}, {role.value}")
        return
    if password_stdin:
        raise typer.BadParameter("--token and --password-stdin exclude each other")
    with accounts.database.read() as transaction:
        there = transaction.accounts.account(name.strip().lower())
    if there is not None and there.role is not role:
        raise AccountInvalid(f"{there.name}: is {there.role.value}, not {role.value}; change it with: triage users role")
    if there is None:
        accounts.add(name, role, operator())
    typer.echo(accounts.issue_token(name, operator(), any_role=True))


def list_users(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """Every account with its role; how many sessions are open."""
    accounts = _accounts(home, config)
    now = accounts.clock()
    with accounts.database.read() as transaction:
        everyone = transaction.accounts.accounts()
        open_sessions = [one.account for one in transaction.accounts.sessions() if accounts.limits.alive(one, now)]
    rows = [
        {
            "name": one.name,
            "role": one.role.value,
            "disabled": one.disabled,
            "password": one.password_hash is not None,
            "external": one.external,
            "must_change": one.must_change,
            "created_at": one.created_at.isoformat(),
            "sessions": open_sessions.count(one.name),
        }
        for one in everyone
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "disabled" if row["disabled"] else "has to change the password" if row["must_change"] else ""
        state = state or ("by the identity provider" if row["external"] else "")
        typer.echo(f"{row['name']:20} {row['role']:12} sessions {row['sessions']}  {state}".rstrip())
    if not rows:
        typer.echo("No account. Add one: triage users add NAME --role pacs_admin")


def disable(name: Name, home: Home = None, config: Config = None) -> None:
    """Shut an account: its sessions end, its tokens are revoked."""
    _accounts(home, config).set_disabled(name, True, operator())
    typer.echo(f"disabled {name}")


def enable(name: Name, home: Home = None, config: Config = None) -> None:
    """Open an account again; tokens have to be issued anew."""
    _accounts(home, config).set_disabled(name, False, operator())
    typer.echo(f"enabled {name}")


def password(name: Name, password_stdin: FromStdin = False, home: Home = None, config: Config = None) -> None:
    """Set another password; the account's sessions and tokens end."""
    accounts = _accounts(home, config)
    with accounts.database.read() as transaction:
        if transaction.accounts.account(name.strip().lower()) is None:
            raise UnknownAccount("no account has this name; see: triage users list")
    accounts.set_password(name, _new_password(password_stdin), operator())
    typer.echo(f"password of {name} changed; its sessions and tokens ended")


def external(name: Name, home: Home = None, config: Config = None) -> None:
    """From now on the account signs in by the identity provider; its password, its sessions and its tokens end."""
    _accounts(home, config).set_external(name, operator())
    typer.echo(f"{name} signs in by the identity provider; the first to come by that name there has it")


def role(
    name: Name,
    role: Annotated[Role, typer.Argument(help="The new role.", metavar="ROLE")],
    home: Home = None,
    config: Config = None,
) -> None:
    """Give an account another role; its sessions and tokens end."""
    _accounts(home, config).set_role(name, role, operator())
    typer.echo(f"{name} is {role.value}; its sessions and tokens ended")


def sessions(
    name: Annotated[str | None, typer.Argument(help="End every session of this account.", metavar="[NAME]")] = None,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Open sessions; with a name, end that account's."""
    accounts = _accounts(home, config)
    if name is not None:
        typer.echo(f"{accounts.end_sessions(name, operator())} sessions of {name} ended")
        return
    now = accounts.clock()
    with accounts.database.read() as transaction:
        alive = [one for one in transaction.accounts.sessions() if accounts.limits.alive(one, now)]
    rows = [
        {"account": one.account, "signed_in_at": one.signed_in_at.isoformat(), "seen_at": one.seen_at.isoformat()}
        for one in alive
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['account']:20} signed in {row['signed_in_at']}  last seen {row['seen_at']}")
    if not rows:
        typer.echo("Nobody is signed in.")


def _accounts(home: Home, config: Config) -> "Accounts":
    from triage.bootstrap.accounts import accounts_of

    return accounts_of(site(home, config))


def _new_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return given
