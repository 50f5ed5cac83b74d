"""``triage migrate``: the database brought to this version, back, or to another place."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, print_json, progress_bar, settings

if TYPE_CHECKING:
    from triage.bootstrap.upgrade import Preflight


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only tell what would be done and what is in the way; exit 0: nothing to do.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Put the copy from before the last upgrade in the place again.")] = False,
    accept_loss: Annotated[bool, typer.Option("--accept-loss", help="With --back: what came since may be lost.")] = False,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="Move this site's rows there: an empty PostgreSQL (or SQLite) database."),
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Bring the database to this version's schema, the service stopped; a copy of it (SQLite) stays for the way back."""
    from triage.domain.errors import ConfigError

    if sum((check, back, to is not None)) > 1:
        raise ConfigError("migrate: one of --check, --back and --to")
    if to is not None:
        _move(home, config, to)
    elif back:
        _back(home, config, accept_loss, as_json)
    elif check:
        _check(home, config, as_json)
    else:
        _upgrade(home, config, as_json)


def _check(home: Path | None, config: Path | None, as_json: bool) -> None:
    from triage.bootstrap.upgrade import preflight

    met = preflight(settings(home, config))
    if as_json:
        print_json(met.as_dict())
    else:
        typer.echo("\n".join(_words(met)))
    if not met.nothing_to_do:
        raise typer.Exit(1)


def _words(met: "Preflight") -> list[str]:
    lines = [", ".join(f"{name} {version}" for name, version in met.versions.items())]
    lines.append(f"database schema is {met.revision or 'empty'}, this version needs {met.needed}")
    lines += [f"step to come: {step}" for step in met.steps]
    if met.database_bytes is not None and met.free_bytes is not None:
        lines.append(f"database {met.database_bytes / 1e6:.1f} MB, free beside it {met.free_bytes / 1e6:.0f} MB")
    lines.append(f"way back: to {met.way_back}" if met.way_back else "way back: no copy from before an upgrade yet")
    if met.nothing_to_do:
        return [*lines, "nothing to do"]
    lines += [f"in the way: {one}" for one in met.in_the_way]
    return [*lines, "not ready" if met.in_the_way else "ready: triage migrate"]


def _upgrade(home: Path | None, config: Path | None, as_json: bool) -> None:
    from triage.bootstrap.upgrade import upgrade

    met, copy = upgrade(settings(home, config))
    if as_json:
        print_json({"before": met.revision, "after": met.needed, "copy": str(copy.path) if copy else None})
        return
    if met.nothing_to_do:
        typer.echo(f"database schema is {met.needed} already")
        return
    typer.echo(f"database schema: {met.revision or 'empty'} -> {met.needed}")
    if copy is not None:
        typer.echo(f"as it was before: {copy.path}; the way back: triage migrate --back")


def _back(home: Path | None, config: Path | None, accept_loss: bool, as_json: bool) -> None:
    from triage.bootstrap.upgrade import way_back

    done = way_back(settings(home, config), accept_loss=accept_loss)
    if as_json:
        lost = {table: asdict(difference) for table, difference in done.lost.items()}
        print_json({"before": done.revision, "after": done.to, "lost": lost, "aside": str(done.aside)})
        return
    typer.echo(f"database schema: {done.revision} -> {done.to}; what was in its place: {done.aside}")
    for table, difference in done.lost.items():
        typer.echo(f"not in the copy: {table}: {difference}")
    typer.echo("now start the version that it belongs to; its intake takes films that have no row any more onto the list again")


def _move(home: Path | None, config: Path | None, to: str) -> None:
    import time

    from triage.bootstrap.move import move_site
    from triage.config import without_secrets

    began = time.monotonic()
    with progress_bar() as bar:
        tasks = {}

        def note(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(f"moving {table}", total=total)
            bar.update(tasks[table], completed=done)

        moved = move_site(settings(home, config), to, note)
    for one in moved:
        typer.echo(f"{one.table:20} {one.rows:>10} rows  {one.digest[:16]}")
    took = time.monotonic() - began
    typer.echo(f"moved and compared {sum(one.rows for one in moved)} rows in {took:.0f} s; now set in triage.toml:")
    typer.echo(f'database_url = "{without_secrets(to)}"')
