"""``triage worklist`` and ``triage study``: look at the list from a terminal."""

import time
from typing import TYPE_CHECKING, Annotated, Any

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
    from triage.database.documents import dump_outcome
    from triage.domain.worklist import WorklistItem, ranked
    from triage.domain.worklist import as_json as row

    opened = site(home, config)
    with opened.database.read() as transaction:
        found = transaction.study(uid)
        if found is None:
            raise TriageError("no study has this UID; see: triage worklist --all")
        instances, outcomes = transaction.instances(uid), transaction.outcomes(uid)
        rank = next((item.rank for item in ranked(transaction.worklist()) if item.study.study_instance_uid == uid), None)
    now = utc_now()
    if as_json:
        import json

        document: dict[str, Any] = row(WorklistItem(rank=rank or 0, study=found), now) | {"rank": rank}
        document["instances"] = [
            {
                "sop_instance_uid": one.sop_instance_uid,
                "sop_class_uid": one.sop_class_uid,
                "transfer_syntax_uid": one.transfer_syntax_uid,
                "digest": one.digest,
                "size_bytes": one.size_bytes,
                "received_at": one.received_at.isoformat(),
                "calling_ae_title": one.calling_ae_title,
            }
            for one in instances
        ]
        document["history"] = [json.loads(dump_outcome(outcome)) for outcome in outcomes]
        print_json(document)
        return
    from rich.console import Console

    from triage.cli import tables

    console = Console()
    console.print(f"{tables.person(found.facts.patient_name)}  {tables.clean(found.facts.patient_id)}", markup=False)
    tables.study_lines(console, found, rank, now)
    for one in instances:
        console.print(f"image  {one.sop_instance_uid}  {one.size_bytes} bytes  sha256 {one.digest[:16]}…", highlight=False)
    for outcome in outcomes:
        console.print(f"history  {dump_outcome(outcome)}", markup=False, highlight=False)


def _items(opened: "Site", limit: int | None, include_read: bool) -> "list[WorklistItem]":
    from triage.domain.worklist import WorklistItem

    with opened.database.read() as transaction:
        studies = transaction.worklist(limit, include_read)
    return [WorklistItem(rank=rank, study=study) for rank, study in enumerate(studies, start=1)]
