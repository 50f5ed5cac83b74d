"""``triage models``: bundles."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, settings

if TYPE_CHECKING:
    from triage.domain.bundle import Entry
    from triage.inference.registry import Registry

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
    """Every bundle, the active one marked, with the time since when."""
    from triage.bootstrap import registry

    bundles = registry(settings(home, config))
    entries = bundles.entries()
    if as_json:
        rows = [
            {
                "id": one.bundle_id,
                "name": one.name,
                "version": one.version,
                "packaged": one.packaged,
                "active": one.active,
                "active_since": one.active_since,
            }
            for one in entries
        ]
        print_json(rows)
        bundles.active_path()  # a damaged choice is said behind what there is to choose from
        return
    for one in entries:
        origin = "packaged" if one.packaged else "installed"
        since = f"  active since {one.active_since}" if one.active_since else "  active by default" if one.active else ""
        typer.echo(f"{'*' if one.active else ' '} {one.bundle_id[:12]}  {one.name}@{one.version}  {origin}{since}")
    if not entries:
        typer.echo("No bundle. Train one (python -m training --help), then: triage models install DIR")
    bundles.active_path()


def show(
    bundle: Annotated[str, typer.Argument(help="NAME or NAME@VERSION, id, or the id's first eight digits.", metavar="BUNDLE")],
    home: Home = None,
    config: Config = None,
) -> None:
    """The model card."""
    from triage.bootstrap import registry

    path = registry(settings(home, config)).named(bundle)
    typer.echo((path / "MODEL_CARD.md").read_text(encoding="utf-8"))


def install(
    directory: Annotated[Path, typer.Argument(help="Bundle directory, as training makes it.", metavar="DIR")],
    home: Home = None,
    config: Config = None,
) -> None:
    """Verify a bundle wholly, golden and reference films included, and copy it in. Says what was proved."""
    from triage.bootstrap import registry
    from triage.domain.bundle import SLOW_MS

    proof = registry(settings(home, config)).install(directory)
    short = proof.bundle_id[:12]
    typer.echo(f"{proof.files} files have the digests of the manifest")
    typer.echo(f"{proof.golden} golden films gave their probability again; the slowest took {proof.slowest_ms:.1f} ms")
    if proof.left_out:
        typer.echo(f"reference films: left out, {proof.left_out}; swapped labels would go unnoticed")
    else:
        typer.echo(f"{proof.references} reference films: known abnormal ones rank above known normal ones")
    if proof.slow:
        typer.echo(f"warning: a film takes {proof.median_ms:.0f} ms (median, one thread), more than {SLOW_MS:.0f}", err=True)
    typer.echo(f"installed {short}; use it with: triage models activate {short}")


def activate(bundle_id: BundleId, home: Home = None, config: Config = None) -> None:
    """Make a bundle the one that serves; a running service follows without a restart. Noted in models/activations.jsonl."""

    def meant(one: "Entry") -> bool:
        return len(bundle_id) >= 8 and one.bundle_id.startswith(bundle_id)

    _change(meant, lambda bundles, now, who: bundles.activate(bundle_id, now, who), home, config)


def rollback(home: Home = None, config: Config = None) -> None:
    """Return to the bundle that served before. Noted in models/activations.jsonl."""
    _change(lambda one: one.previous, lambda bundles, now, who: bundles.rollback(now, who), home, config)


def _change(
    meant: "Callable[[Entry], bool]",
    step: "Callable[[Registry, datetime, str], str]",
    home: Path | None,
    config: Path | None,
) -> None:
    """Change the bundle that serves; where there is a database, its audit says so, before and after."""
    from triage.bootstrap import open_site, registry
    from triage.clock import utc_now
    from triage.services.audit import model_changed

    chosen, who = settings(home, config), operator()
    database = open_site(chosen).database if chosen.has_database else None
    bundles = registry(chosen)
    wanted = next((one.bundle_id for one in bundles.entries() if meant(one)), None)
    if database is not None and wanted is not None:
        model_changed(database, who, wanted, utc_now, {"what": "to be activated"})
    bundle_id = step(bundles, utc_now(), who)
    if database is not None:
        model_changed(database, who, bundle_id, utc_now, {"what": "activated"})
    typer.echo(f"active: {bundle_id[:12]}")
