"""``triage read``: finish a study from a script; ``triage audit``: who did what, and whether the record still holds."""

from pathlib import Path
from typing import Annotated

import typer

from triage.cli.common import AsJson, Config, Home, operator, print_json, site
from triage.domain.errors import AuditBroken, TriageError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(read)
    group = typer.Typer(no_args_is_help=True, help="The audit: verify its chain, export it.")
    group.command("verify")(verify)
    group.command("export")(export)
    app.add_typer(group, name="audit")


def read(
    uid: Annotated[str, typer.Argument(help="Study Instance UID.")],
    user: Annotated[str, typer.Option("--as", help="The reader's name.", metavar="USER")],
    agree: Annotated[bool, typer.Option("--agree", help="The network's word is right.")] = False,
    disagree: Annotated[bool, typer.Option("--disagree", help="The network's word is wrong.")] = False,
    not_assessable: Annotated[bool, typer.Option("--not-assessable", help="The film cannot be judged.")] = False,
    note: Annotated[str | None, typer.Option(help="Free text, kept with the reading.", metavar="TEXT")] = None,
    home: Home = None,
    config: Config = None,
) -> None:
    """Mark a study read, with a verdict or without. Example: triage read 1.2.3 --as "Dr Grey" --agree."""
    from triage.clock import utc_now
    from triage.domain.audit import Action
    from triage.domain.reading import Step
    from triage.domain.verdict import Verdict
    from triage.services.audit import way
    from triage.services.reading import take

    given = {Verdict.AGREE: agree, Verdict.DISAGREE: disagree, Verdict.NOT_ASSESSABLE: not_assessable}
    verdicts = [verdict for verdict, chosen in given.items() if chosen]
    if len(verdicts) > 1:
        raise typer.BadParameter("give one of --agree, --disagree, --not-assessable")
    step = Step(action=Action.READ, actor=user, verdict=next(iter(verdicts), None), note=note)
    opened = site(home, config)
    policy, lease = opened.settings.policy.head_starts, opened.settings.reading.lease
    before = way.set({"by": operator()})  # --as is only said; who typed it is known
    try:
        study = take(opened.database, uid, step, policy, utc_now, lease)
    finally:
        way.reset(before)
    typer.echo(f"{study.study_instance_uid}: read by {user}{', ' + verdicts[0].value if verdicts else ''}")


def verify(
    anchor: Annotated[
        Path | None,
        typer.Option(help="Copy of HOME/audit.head kept on another machine, to compare with as well.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Walk the audit chain; exit 1 with its first broken place. A chain that holds is noted in HOME/audit.head."""
    from triage.clock import utc_now
    from triage.database.anchor import FileAnchor
    from triage.services.audit import verify_audit

    opened = site(home, config)
    if anchor is not None and not anchor.is_file():
        raise TriageError(f"{anchor}: no such file; name a copy of HOME/audit.head")
    found = verify_audit(opened.database, opened.anchor, utc_now, FileAnchor(anchor).heads() if anchor else ())
    broken = found.broken
    if as_json:
        print_json(
            {
                "ok": broken is None,
                "records": found.head.sequence,
                "digest": found.head.digest,
                "broken": {"sequence": broken.sequence, "what": broken.what} if broken else None,
            }
        )
        raise typer.Exit(1 if broken else 0)
    if broken is not None:
        raise AuditBroken(f"audit: broken at record {broken.sequence}: {broken.what}; compare with a backup")
    typer.echo(f"the audit holds: {found.head.sequence} records, head {found.head.digest[:12]}")


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write (JSON lines); must not exist.")],
    home: Home = None,
    config: Config = None,
) -> None:
    """Write the audit as JSON lines. The export is audited itself; its entry is the first that the file lacks."""
    import os

    from triage.clock import utc_now
    from triage.services.audit import exported_audit, exported_lines

    if file.exists():
        raise TriageError(f"{file} exists already; name a file that does not exist yet")
    opened, part, count = site(home, config), file.with_name(f"{file.name}.part"), 0
    try:
        with part.open("w", encoding="ascii") as stream:
            for line in exported_lines(opened.database):
                stream.write(line + "\n")
                count += 1
            stream.flush()
            os.fsync(stream.fileno())
        exported_audit(opened.database, operator(), count, utc_now)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    typer.echo(f"{file}: {count} records")
