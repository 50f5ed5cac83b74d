"""``triage worklist`` and ``triage study``: look at what came, from a terminal."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, print_json, site
from triage.domain.errors import TriageError

if TYPE_CHECKING:
    from triage.bootstrap import Site
    from triage.domain.worklist import WorklistItem

REFRESH_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worklist)
    app.command()(study)


def worklist(
    as_json: AsJson = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    include_read: Annotated[bool, typer.Option("--all", help="Studies already read too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show changes as they come; Ctrl-C ends.")] = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """The unread studies in reading order."""
    from triage.clock import utc_now
    from triage.domain.worklist import as_json as row

    opened = site(home, config)
    if as_json:
        print_json([row(item, utc_now()) for item in _items(opened, limit, include_read)])
        return
    from rich.console import Console
    from rich.live import Live

    from triage.cli import tables

    console = Console()
    if not watch:
        items = _items(opened, limit, include_read)
        console.print(tables.worklist(items, utc_now()) if items else "No unread study.")
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(tables.worklist(_items(opened, limit, include_read), utc_now()), refresh=True)
            time.sleep(REFRESH_SECONDS)


def study(
    uid: Annotated[str, typer.Argument(help="Study Instance UID.")],
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """One study: its place and why, images, assessments."""
    from triage.clock import utc_now
    from triage.services.records import study_record

    opened, now = site(home, config), utc_now()
    with opened.database.read() as transaction:
        found, record = transaction.study(uid), study_record(transaction, uid, now)
    if found is None or record is None:
        raise TriageError("no study has this UID; see: triage worklist --all")
    if as_json:
        print_json(record)
        return
    from rich.console import Console

    from triage.cli import tables

    tables.study(Console(), found, record, now)


def _items(opened: "Site", limit: int | None, include_read: bool) -> "list[WorklistItem]":
    from triage.domain.worklist import WorklistItem

    with opened.database.read() as transaction:
        studies = transaction.worklist(limit, include_read)
        places = transaction.places(studies) if include_read else {}
    if not include_read:
        return [WorklistItem(rank=rank, study=study) for rank, study in enumerate(studies, start=1)]
    return [WorklistItem(rank=places.get(study.study_instance_uid, 0), study=study) for study in studies]
