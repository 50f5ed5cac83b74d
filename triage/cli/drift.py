"""``triage drift``: whether what the network says has changed since it began here."""

from dataclasses import asdict

import typer

from triage.cli.common import AsJson, Config, Home, print_json, site


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(drift)


def drift(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """Compare the network's newest answers with its first ones here; exit 1 when they have changed."""
    from triage.services.drift import look

    opened = site(home, config)
    found = look(opened.database)
    opened.database.close()
    if as_json:
        print_json(asdict(found) if found else None)
    elif found is None:
        typer.echo("no network has judged a study yet")
    else:
        typer.echo(f"{found.model}: the last {found.recent} scored studies against its first {found.reference}")
        if found.psi is None:
            typer.echo("too few studies yet to compare scores")
        else:
            typer.echo(f"scores: PSI {found.psi:.3f} (0.25 and more is a major shift), chance {found.p_value:.1e}")
        for words in (*([found.flood] if found.flood else []), *found.findings):
            typer.echo(f"changed: {words}")
        if not found.findings and not found.flood:
            typer.echo("nothing has changed beyond chance")
    if found and (found.findings or found.flood):
        raise typer.Exit(1)
