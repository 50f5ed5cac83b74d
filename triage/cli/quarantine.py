"""``triage quarantine``: what was set aside instead of indexed, and what a person decides on it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, site

if TYPE_CHECKING:
    from triage.domain.instance import QuarantinedObject

Digest = Annotated[str, typer.Argument(help="Digest, or enough of its beginning.", metavar="DIGEST")]
User = Annotated[str, typer.Option("--as", help="Who decides.", metavar="USER")]
Because = Annotated[str, typer.Option("--because", help="Why; kept with the object, not in the audit.", metavar="TEXT")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What was set aside instead of indexed: list it, look at one, release or discard it.")
    group.callback(invoke_without_command=True)(listed)
    group.command("show")(show)
    group.command("release")(release)
    group.command("discard")(discard)
    app.add_typer(group, name="quarantine")


def listed(
    context: typer.Context,
    as_json: AsJson = False,
    decided: Annotated[bool, typer.Option("--all", help="Those too on which somebody has decided.")] = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """What was set aside instead of indexed: when, from whom, why, which study it names, where it lies."""
    if context.invoked_subcommand is not None:
        return
    opened = site(home, config)
    with opened.database.read() as transaction:
        found = transaction.quarantined(decided)
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    for one in found:
        _print(one, opened.settings.storage.archive or "instances")
    typer.echo(f"{sum(one.decision is None for one in found)} set aside")


def show(digest: Digest, as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """One object: its cause, whether its bytes are whole, its study, and what can be done."""
    from triage.services.quarantine import found
    from triage.services.standing import touched

    opened = site(home, config)
    with opened.database.read() as transaction:
        one = found(transaction, digest)
        studies = sorted(touched(transaction, one))
    whole = one.decision is None and opened.archive.is_intact_aside(one.digest)
    if as_json:
        print_json({**_as_json(one), "whole": whole, "studies": studies})
        return
    _print(one, opened.settings.storage.archive or "instances")
    for uid in studies:
        typer.echo(f"      see: triage study {uid}")
    if one.decision is None:
        typer.echo(f"      {'a whole film' if whole else 'no whole film: it can only be discarded'}")
        for what in ("release", "discard") if whole else ("discard",):
            typer.echo(f"      triage quarantine {what} {one.digest} --as USER --because TEXT")


def release(digest: Digest, user: User, because: Because, home: Home = None, config: Config = None) -> None:
    """Index the object; one that has its SOP Instance UID leaves its place and is set aside in its stead."""
    from triage.services.quarantine import release as released

    instance = _decide(released, digest, user, because, home, config)
    typer.echo(f"released by {user}: study {instance.study_instance_uid}; see: triage study {instance.study_instance_uid}")


def discard(digest: Digest, user: User, because: Because, home: Home = None, config: Config = None) -> None:
    """Delete the object's bytes; who, when and why stay. There is no way back."""
    from triage.services.quarantine import discard as discarded

    one = _decide(discarded, digest, user, because, home, config)
    typer.echo(f"discarded by {user}: {one.digest}")


def _decide(step: Any, digest: str, user: str, because: str, home: Any, config: Any) -> Any:
    from triage.clock import utc_now
    from triage.services.audit import way
    from triage.services.quarantine import Deciding, found

    opened = site(home, config)
    with opened.database.read() as transaction:
        whole = found(transaction, digest).digest
    before = way.set({"by": operator()})  # --as is only said; who typed it is known
    try:
        return step(
            whole,
            Deciding(by=user, because=because),
            archive=opened.archive,
            database=opened.database,
            head_starts=opened.settings.policy.head_starts,
            clock=utc_now,
        )
    finally:
        way.reset(before)


def _print(one: "QuarantinedObject", place: str) -> None:
    from triage.cli.tables import clean

    study = f"study {one.study_instance_uid}" if one.study_instance_uid else "no study that could be read"
    typer.echo(f"{one.received_at.isoformat()}  from {clean(one.calling_ae_title)}  {one.cause}  {study}")
    if one.decision is None:
        typer.echo(f"      -> {place}/quarantine/{one.digest}.dcm")
    elif one.decided_at is not None:
        who, why = clean(one.decided_by), clean(one.because)
        typer.echo(f"      {one.decision} by {who} at {one.decided_at.isoformat()}: {why}  sha256 {one.digest}")


def _as_json(one: "QuarantinedObject") -> dict[str, Any]:
    times = {"received_at": one.received_at.isoformat(), "decided_at": one.decided_at.isoformat() if one.decided_at else None}
    return {**asdict(one), **times}
