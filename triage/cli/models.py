"""``triage models``: bundles."""

from pathlib import Path
from typing import Annotated

import typer

from triage.cli.common import AsJson, Config, Home, print_json, settings

BundleId = Annotated[str, typer.Argument(help="Bundle id, or its first eight digits.", metavar="ID")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Bundles: list, show, install, activate, roll back.")
    group.command("list")(list_models)
    group.command("show")(show)
    group.command("install")(install)
    group.command("activate")(activate)
    group.command("rollback")(rollback)
    app.add_typer(group, name="models")


def list_models(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """Every bundle, the active one marked."""
    from triage.bootstrap import registry

    entries = registry(settings(home, config)).entries()
    if as_json:
        rows = [
            {"id": one.bundle_id, "name": one.name, "version": one.version, "packaged": one.packaged, "active": one.active}
            for one in entries
        ]
        print_json(rows)
        return
    for one in entries:
        origin = "packaged" if one.packaged else "installed"
        typer.echo(f"{'*' if one.active else ' '} {one.bundle_id[:12]}  {one.name}@{one.version}  {origin}")
    if not entries:
        typer.echo("No bundle. Train one (python -m training --help), then: triage models install DIR")


def show(bundle_id: BundleId, home: Home = None, config: Config = None) -> None:
    """The model card."""
    from triage.bootstrap import registry

    path = registry(settings(home, config)).find(bundle_id)
    typer.echo((path / "MODEL_CARD.md").read_text(encoding="utf-8"))


def install(
    directory: Annotated[Path, typer.Argument(help="Bundle directory, as training makes it.", metavar="DIR")],
    home: Home = None,
    config: Config = None,
) -> None:
    """Verify a bundle wholly, golden films included, and copy it in."""
    from triage.bootstrap import registry

    bundle_id = registry(settings(home, config)).install(directory)
    typer.echo(f"installed {bundle_id[:12]}; use it with: triage models activate {bundle_id[:12]}")


def activate(bundle_id: BundleId, home: Home = None, config: Config = None) -> None:
    """Make a bundle the one that serves; a running service follows without a restart."""
    from triage.bootstrap import registry
    from triage.clock import utc_now

    typer.echo(f"active: {registry(settings(home, config)).activate(bundle_id, utc_now())[:12]}")


def rollback(home: Home = None, config: Config = None) -> None:
    """Return to the bundle that served before."""
    from triage.bootstrap import registry
    from triage.clock import utc_now

    typer.echo(f"active: {registry(settings(home, config)).rollback(utc_now())[:12]}")
