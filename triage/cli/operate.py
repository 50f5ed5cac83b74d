"""``triage send verify check config``: run and look after the service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.cli.common import AsJson, Config, Home, print_json, progress_bar, settings, site
from triage.domain.destination import Destination
from triage.domain.errors import ConfigError

if TYPE_CHECKING:
    from triage.config import Settings
    from triage.dimse.tls_client import ClientContext

if TYPE_CHECKING:
    from triage.bootstrap import Site
    from triage.domain.fault import Fault
    from triage.domain.instance import Instance


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(send)
    app.command()(verify)
    app.command()(check)
    config_app = typer.Typer(no_args_is_help=True, help="Settings.")
    config_app.command("show")(show_config)
    app.add_typer(config_app, name="config")


def send(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.", metavar="PATH…")],
    to: Annotated[str | None, typer.Option("--to", metavar="AET@HOST:PORT", help="Receiver (default: this home's).")] = None,
    calling: Annotated[
        str | None, typer.Option("--as", metavar="AET", help="Our AE title (default: TRIAGE_SEND; with TLS this home's).")
    ] = None,
    tls: Annotated[
        bool,
        typer.Option("--tls", help="By DICOM TLS, with this home's certificate or the one named."),
    ] = False,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="Our certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its private key, PEM.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="The authorities whose certificates are believed, PEM.")] = None,
    home: Home = None,
    config: Config = None,
) -> None:
    """Send films by C-STORE; non-zero exit when any was refused, naming each."""
    from rich.console import Console
    from rich.progress import track

    from triage.dimse.store_scu import Sent, files_in
    from triage.dimse.store_scu import send as send_files

    tls = tls or bool(certificate or key or ca)
    values = settings(home, config) if to is None or tls else None
    if to is None and values is not None:
        dimse = values.dimse
        to, tls = f"{dimse.ae_title}@{dimse.host}:{dimse.port}", tls or values.tls_files is not None
    try:
        destination = Destination.parse(to or "")
    except ValueError as error:
        raise ConfigError(f"--to: {error}") from None
    context = _client_context(destination, values, certificate, key, ca) if tls and values is not None else None
    calling = calling or (values.dimse.ae_title if values is not None and tls else "TRIAGE_SEND")
    files = list(files_in(paths))
    if not files:
        typer.echo("triage: nothing to send: no DICOM file there", err=True)
        raise typer.Exit(1)
    console = Console(stderr=True)
    heard: list[Sent] = []
    bar = iter(track(files, description="sending", console=console, transient=True))

    def note(sent: Sent) -> None:
        next(bar, None)
        heard.append(sent)

    outcomes = send_files(files, destination, calling, note, context)
    next(bar, None)
    refused = [sent for sent in outcomes if not sent.ok]
    for sent in refused:
        status = "not sent" if sent.status is None else f"0x{sent.status:04X}"
        typer.echo(f"triage: {sent.path}: {status}{sent.comment and f': {sent.comment}'}", err=True)
    typer.echo(f"{len(outcomes) - len(refused)} of {len(files)} stored")
    if refused:
        raise typer.Exit(1)


def _client_context(
    to: Destination, values: "Settings", certificate: Path | None, key: Path | None, ca: Path | None
) -> "ClientContext":
    from triage.clock import utc_now
    from triage.dimse.tls_client import client_context
    from triage.dimse.tls_files import TlsFiles

    if certificate and key and ca:
        files: TlsFiles | None = TlsFiles(certificate=certificate, key=key, ca=ca)
    elif certificate or key or ca:
        raise typer.BadParameter("--certificate, --key and --ca: give all three, or none for this home's")
    else:
        files = values.tls_files
    if files is None:
        raise ConfigError("--tls: this home has no certificate; give --certificate, --key and --ca, or set dimse.tls")
    return client_context(files, ae_title=to.ae_title, host=to.host, bindings=values.tls_bindings, clock=utc_now)


def verify(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """Prove that acknowledged = on disk (digest) = indexed = assessed or excused; exit 1 and one line a gap otherwise."""
    from triage.clock import utc_now
    from triage.services.verify import REMEDIES
    from triage.services.verify import verify as verified
    from triage.services.verify_results import Awaited

    opened = site(home, config)
    with progress_bar() as bar:
        task = bar.add_task("reading every film again", total=None)
        account = verified(
            opened.archive,
            opened.database,
            lambda done, total: bar.update(task, completed=done, total=total),
            found=lambda instance, fault: _note(opened, instance, fault),
            awaited=Awaited(tuple(one.name for one in opened.settings.destinations), utc_now()),
        )
    if as_json:
        print_json(account.as_dict())
    else:
        for gap in account.gaps:
            typer.echo(f"{gap.what}: {gap.subject} -> {REMEDIES[gap.what]}")
        for doubt in account.doubts:
            typer.echo(f"no gap, but look at it: {doubt.what}: {doubt.subject}; see: triage study {doubt.subject}")
        typer.echo(
            f"acknowledged {account.acknowledged} = on disk {account.on_disk} = indexed {account.indexed}; studies: "
            f"assessed {account.assessed}, excused {account.excused}, waiting {account.waiting}; "
            f"set aside {account.quarantined}; in doubt {len(account.doubts)} unread, "
            f"{account.doubts_read} read; gaps {len(account.gaps)}"
        )
    if not account.ok:
        raise typer.Exit(1)


def _note(opened: "Site", instance: "Instance", fault: "Fault") -> None:
    """What was found marks the study at once; nobody waits until the scrub comes by."""
    from triage.clock import utc_now
    from triage.services.condition import note_condition

    with opened.database.write() as transaction:
        note_condition(transaction, opened.archive, instance, fault, opened.settings.policy.head_starts, utc_now())


def check(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """Everything worth checking before going live, each with a remedy; exit 1 when something must be mended."""
    from triage import logs
    from triage.cli.checks import run_checks

    logs.configure("check")  # to stderr: what is logged by the way is no part of the answer
    findings = run_checks(settings(home, config))
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.mark:5} {finding.subject}: {finding.words}")
            if finding.remedy:
                typer.echo(f"      -> {finding.remedy}")
    if any(finding.mark == "FAIL" for finding in findings):
        raise typer.Exit(1)


def show_config(as_json: AsJson = False, home: Home = None, config: Config = None) -> None:
    """The settings in force, and what each is for."""
    from triage.config import known_keys, shown

    rows = shown(settings(home, config))
    if as_json:
        print_json(rows)
        return
    for name, info in known_keys().items():
        typer.echo(f"{name} = {rows[name]!r}" + (f"    # {info.description}" if info.description else ""))
