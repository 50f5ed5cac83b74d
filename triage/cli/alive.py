"""``triage alive``: whether a role on this machine gives signs of life, for the probes of those who run it."""

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import Config, Home, settings

if TYPE_CHECKING:
    from triage.config import Settings
    from triage.domain.role import RoleStatus

ASKED_WITHIN = 5.0
"""Seconds until the database counts as away."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(alive)


def alive(
    role: Annotated[str, typer.Argument(help="intake, worker, web, scheduler, publisher, orders; of several: worker-2.")],
    within: Annotated[float, typer.Option(help="Seconds that may have passed since its last sign of life.", min=1.0)] = 30.0,
    home: Home = None,
    config: Config = None,
) -> None:
    """Exit 0 when this machine's ROLE gave a sign of life a moment ago, else 1. Waits for nothing and changes nothing.

    Exit 0, too, while the database does not answer: then nothing can be said of the role, and to start it again would not help.
    """
    found = _asked(settings(home, config), role)
    if found is None:
        typer.echo("the database does not answer: cannot tell")
        return
    from triage.clock import utc_now
    from triage.domain.role import STOPPED

    if not found:
        typer.echo(f"{role}: no sign of life yet")
        raise typer.Exit(1)
    status = found[0]
    age = (utc_now() - status.beat_at).total_seconds()
    typer.echo(f"{status.role}: {status.state}, {age:.0f} s ago")
    if status.state == STOPPED or abs(age) > within:
        raise typer.Exit(1)


def _asked(values: "Settings", role: str) -> "list[RoleStatus] | None":
    """The role's row, if there is one; ``None``: the database does not say."""
    answers: list[list[RoleStatus]] = []
    thread = threading.Thread(target=lambda: _ask(values, role, answers), daemon=True)
    thread.start()
    thread.join(ASKED_WITHIN)
    return next(iter(answers), None)


def _ask(values: "Settings", role: str, answers: "list[list[RoleStatus]]") -> None:
    from triage.database.engine import SqlDatabase, open_engine
    from triage.domain.errors import TriageError
    from triage.domain.role import signed

    if not values.has_database:
        answers.append([])
        return
    try:
        database = SqlDatabase(open_engine(values.database))
        with database.read() as transaction:
            answers.append([one for one in transaction.roles() if one.role == signed(role, values.node)])
        database.close()
    except TriageError:
        return
