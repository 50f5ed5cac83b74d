"""``triage support FILE.zip``: what somebody who helps from outside needs, without a patient in it."""

from pathlib import Path
from typing import Annotated

import typer

from triage.cli.common import AsJson, Config, Home, print_json, settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(support)


def support(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not be there.", metavar="FILE.zip")],
    log: Annotated[
        list[Path] | None, typer.Option("--log", help="A log of the service (default: the journal's, where there is one).")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How far back log lines go.", metavar="DURATION")] = "24 h",
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Write versions, settings (secrets masked), findings, counts and log lines without identifiers into one file.

    Example: triage support case.zip --since 2h --log /var/log/triage.log
    """
    from triage import logs
    from triage.bootstrap.support import bundle
    from triage.cli.checks import run_checks
    from triage.clock import utc_now
    from triage.domain.duration import parse_duration

    if (back := parse_duration(since)) is None:
        raise typer.BadParameter(f"--since: {since} is no duration; for example 24h, 2d, 90min")
    logs.configure("support")
    values = settings(home, config)
    names = bundle(values, target, [one.as_dict() for one in run_checks(values)], log or [], utc_now(), back)
    if as_json:
        print_json({"file": str(target), "parts": names})
        return
    typer.echo(f"{target}: {', '.join(names)}")
    typer.echo("no patient is in it; addresses and AE titles of your machines are. Look into it before you send it")
