"""``triage deliveries``: which results are on their way where, and what a person does about those that were refused."""

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, site
from triage.domain.delivery import REFUSED, SENDING, WAITING, DeliveryState

if TYPE_CHECKING:
    from triage.bootstrap import Site

UNFINISHED = (WAITING, SENDING, REFUSED)
Destination = Annotated[str | None, typer.Option("--destination", help="Only this destination's.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Results on their way to other systems: list them, have them sent again.")
    group.callback(invoke_without_command=True)(listed)
    group.command("retry")(retry)
    group.command("send-past")(send_past)
    app.add_typer(group, name="deliveries")


def listed(
    context: typer.Context,
    as_json: AsJson = False,
    state: Annotated[
        list[DeliveryState] | None, typer.Option("--state", help="Only of this state (default: what has not arrived).")
    ] = None,
    destination: Destination = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Only of this study; then of every state.", metavar="UID")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 1000,
    home: Home = None,
    config: Config = None,
) -> None:
    """How each destination stands, and the deliveries that have not arrived: since when, how often tried, why not."""
    if context.invoked_subcommand is not None:
        return
    from triage.clock import utc_now
    from triage.services.deliveries import delivery_record, destination_record

    opened = site(home, config)
    configured = {one.name for one in opened.settings.destinations}
    with opened.database.read() as transaction:
        store = transaction.deliveries
        found = store.deliveries(
            states=state or (() if study else UNFINISHED), destination=destination, study_instance_uid=study, limit=limit
        )
        standing = [one for one in store.destinations() if destination in (None, one.name)]
        behind = {one.name: store.without_delivery(one.name) for one in standing}
    rows = [delivery_record(one) for one in found]
    if as_json:
        facts = [destination_record(one, one.name in configured, behind[one.name]) for one in standing]
        print_json({"destinations": facts, "deliveries": rows})
        return
    from triage.cli.tables import delivery_line

    for one in standing:
        gone = "" if one.name in configured else "  (configured no more)"
        waiting = one.waiting + behind[one.name]
        typer.echo(f"{one.name}: {one.delivered} delivered, {waiting} waiting, {one.refused} refused{gone}")
        if trouble := one.trouble(utc_now()):
            typer.echo(f"  {trouble}")
    for row in rows:
        typer.echo(f"{row['id']:>6}  {row['study_instance_uid']}  {delivery_line(row)}")
    if not standing:
        typer.echo("no destination was ever configured; see: docs/results.md")


def retry(
    delivery: Annotated[int | None, typer.Argument(help="The delivery's id.", metavar="ID", show_default=False)] = None,
    all_refused: Annotated[bool, typer.Option("--all-refused", help="Every one that was refused.")] = False,
    destination: Destination = None,
    home: Home = None,
    config: Config = None,
) -> None:
    """Have refused results sent again; one of whose study a later result counts by now is not."""
    from triage.clock import utc_now
    from triage.services import deliveries as steps

    if (delivery is None) is not all_refused:
        raise typer.BadParameter("give either the id of a delivery or --all-refused")
    opened = site(home, config)
    if delivery is not None:
        again = [steps.retry(opened.database, delivery, operator(), utc_now)]
    else:
        again = steps.retry_refused(opened.database, destination, operator(), utc_now)
    _ring(opened)
    for one in again:
        typer.echo(f"{one.id}  result {one.number} of study {one.study_instance_uid} to {one.destination}: {one.state.value}")
    typer.echo(f"{sum(one.state is WAITING for one in again)} will be sent again")


def send_past(
    name: Annotated[str, typer.Argument(help="The destination.", metavar="NAME")],
    since: Annotated[
        datetime,
        typer.Option("--since", help="Studies that arrived from then on, local time.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    ],
    home: Home = None,
    config: Config = None,
) -> None:
    """Have the last result of studies from before a destination was configured sent to it."""
    from triage.clock import utc_now
    from triage.services import deliveries as steps

    opened = site(home, config)
    made = steps.send_past(opened.database, name, since.astimezone(), operator(), utc_now)
    _ring(opened)
    typer.echo(f"{made} results of the past will be sent to {name}")


def _ring(opened: "Site") -> None:
    """Wake the publisher; it looks by itself a little later."""
    with closing(opened.results_bell) as bell:
        bell.ring()
