"""``triage export``: the readers' verdicts with their films, without identity, for training."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, progress_bar, site
from triage.domain.errors import TriageError

if TYPE_CHECKING:
    from triage.domain.verdict import NoLabel
    from triage.services.export import Exported, NoFilm

SALT = "export.salt"
"""In the home: keeps patients' keys the same from export to export, and from being guessed."""
TABLE = "verdicts.csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; must not exist, or be empty.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what was read from this day on (UTC).")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Readers' verdicts and films without identity, for training. Example: triage export DIR --since 2026-01-01."""
    from triage.clock import utc_now
    from triage.services import export as step
    from triage.services.audit import exported_verdicts

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise TriageError(f"{directory} is not empty; name a folder that does not exist yet")
    opened = site(home, config)
    salt, day = site_salt(opened.settings.home), since.date() if since else None
    with progress_bar() as bar:
        task = bar.add_task("exporting", total=None)
        found = step.export(
            opened.archive, opened.database, salt, day, lambda done, total: bar.update(task, completed=done, total=total)
        )
        labels, left_out = _write(
            directory, found, lambda count: exported_verdicts(opened.database, operator(), count, day, utc_now)
        )
    exported = sum(labels.values())
    if as_json:
        print_json({"directory": str(directory), "exported": exported, "labels": labels, "left_out": left_out})
        return
    typer.echo(f"{directory}: {exported} studies ({', '.join(f'{count} {label}' for label, count in labels.items())})")
    for reason, count in left_out.items():
        typer.echo(f"left out: {count} ({reason})")
    typer.echo(f"next: python -m training import worklist {directory}")


def _write(
    directory: Path, found: "Iterator[Exported | NoLabel | NoFilm]", note: Callable[[int], None]
) -> tuple[dict[str, int], dict[str, int]]:
    """The folder, whole or not at all; returns how many studies of each label, and how many were left out and why.

    ``note`` is told the count before the folder gets its name: what cannot be audited is not exported.
    """
    import csv
    import shutil
    from dataclasses import asdict, fields

    from triage.domain.verdict import Label
    from triage.services.export import FILMS, Exported, Row

    part = directory.with_name(f"{directory.name}.part")
    if (part / FILMS).is_dir():
        shutil.rmtree(part)  # of an export that was interrupted
    (part / FILMS).mkdir(parents=True)
    labels: dict[str, int] = {label.value: 0 for label in Label}
    left_out: dict[str, int] = {}
    try:
        with (part / TABLE).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
            table.writeheader()
            for one in found:
                if isinstance(one, Exported):
                    (part / one.row.file).write_bytes(one.film)
                    table.writerow(asdict(one.row))
                    labels[one.row.label] += 1
                else:
                    left_out[one.value] = left_out.get(one.value, 0) + 1
        note(sum(labels.values()))
        part.replace(directory)
    except BaseException:
        shutil.rmtree(part)
        raise
    return labels, left_out


def site_salt(home: Path) -> bytes:
    """The site's salt, 32 random bytes; made at the first export."""
    import secrets

    path, part = home / SALT, home / f"{SALT}.{os.getpid()}.part"
    if not path.exists():
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # unlike a rename it fails where another export was first
        except FileExistsError:
            pass
        finally:
            part.unlink()
    try:
        salt = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        salt = b""
    if len(salt) < 32:
        raise TriageError(f"{path} is damaged; bring it back from a backup, or remove it: patients then get new keys")
    return salt
