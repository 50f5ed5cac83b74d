"""``triage backup restore retention``: what is kept, where, and for how long."""

from pathlib import Path
from typing import Annotated

import typer

from triage.cli.common import AsJson, Config, Home, print_json, progress_bar, settings, site


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(retention)


def backup(
    directory: Annotated[
        Path, typer.Argument(help="Where backups are made: films once, a folder for each time.", metavar="DIR")
    ],
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Copy database, films, models and settings while the service works; exit 1 when a film is damaged or gone.

    Example: triage backup /mnt/backup/triage. Keys (HOME/tls) are not in it: keep them apart.
    """
    from triage.bootstrap.backup import back_up

    opened = site(home, config)
    with progress_bar() as bar:
        task = bar.add_task("copying films", total=None)
        done = back_up(
            opened,
            directory,
            opened.settings.backup.keep,
            lambda number, total: bar.update(task, completed=number, total=total),
        )
    if as_json:
        print_json(done.as_dict())
    else:
        for digest in (*done.damaged, *done.missing):
            typer.echo(f"not in the backup: {digest}; see: triage verify", err=True)
        typer.echo(
            f"{directory}/{done.name}: films {done.films} (new {done.copied}), set aside {done.set_aside}, "
            f"damaged {len(done.damaged)}, missing {len(done.missing)}; older ones removed {len(done.dropped)}"
        )
    if not done.ok:
        raise typer.Exit(1)


def restore(
    directory: Annotated[Path, typer.Argument(help="A backup's folder (its last one), or one of those in it.", metavar="DIR")],
    verify: Annotated[bool, typer.Option("--verify", help="Then prove that everything is there; exit 1 with gaps.")] = False,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Put a backup into an empty home. Broken off, run it again.

    A drill: triage restore /mnt/backup/triage --verify --home /tmp/drill
    """
    from triage.bootstrap.backup import restore as put_back

    values = settings(home, config)
    with progress_bar() as bar:
        task = bar.add_task("putting films back", total=None)
        manifest = put_back(values, directory, lambda number, total: bar.update(task, completed=number, total=total))
    absent = [*manifest["damaged"], *manifest["missing"]]
    gaps = _verified(home, config) if verify else []
    if as_json:
        print_json({**manifest, "home": str(values.home), "gaps": gaps if verify else None})
    else:
        typer.echo(
            f"{values.home}: restored as of {manifest['made_at']}: films {manifest['films']}, set aside {manifest['set_aside']}"
        )
        for gap in gaps:
            typer.echo(f"{gap['what']}: {gap['subject']}")
        if verify:
            typer.echo(f"verified: gaps {len(gaps)}")
    if gaps or absent:
        raise typer.Exit(1)


def _verified(home: Path | None, config: Path | None) -> list[dict[str, str]]:
    from dataclasses import asdict

    from triage.services.verify import verify

    opened = site(home, config)
    return [asdict(gap) for gap in verify(opened.archive, opened.database).gaps]


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go, and why the others stay.")] = False,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Let studies go as retention.studies_after says, as the scheduler does every hour; never one unread or undelivered."""
    from triage.bootstrap.backup import retire_old
    from triage.domain.errors import ConfigError

    opened = site(home, config)
    if not opened.settings.retention.studies_after:
        raise ConfigError('retention.studies_after: not set, nothing ever goes; set it, for example to "365 d"')
    done = retire_old(opened, dry_run=dry_run)
    if as_json:
        print_json(done.as_dict() | {"dry_run": dry_run})
        return
    for uid, why in done.stayed.items():
        typer.echo(f"stays {uid}: {why}")
    for uid in done.studies:
        typer.echo(f"{'would go' if dry_run else 'gone'} {uid}")
    went = "would go" if dry_run else "gone"
    typer.echo(
        f"{went}: studies {len(done.studies)}, films {done.films}, {done.size_bytes / 1e6:.1f} MB; "
        f"old enough, but stay: {len(done.stayed)}{'; there are more: run it again' if done.more else ''}"
    )
