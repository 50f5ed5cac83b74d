"""``triage demo``: the whole line with real films, over the wire, on loopback."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.cli.serve import free_port
from triage.domain.errors import TriageError

if TYPE_CHECKING:
    from rich.console import Console

_PACKAGED = Path(__file__).resolve().parents[1] / "sample_dicom"
SAMPLES = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "sample_dicom"
"""Within an installed package, or beside it in a clone."""
READY_WITHIN = 180.0
ASSESSED_WITHIN = 180.0
POLL = 0.1
DEMO = "demo"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


@dataclass(frozen=True, slots=True)
class _Service:
    process: "subprocess.Popen[bytes]"
    log: Path
    dimse_port: int
    web: str
    token: str = ""

    def ask(self, path: str) -> Any:
        """GET a JSON answer, whatever its status; ``None``: no answer."""
        try:
            request = urllib.request.Request(f"{self.web}{path}", headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own loopback URL
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except (OSError, ValueError):
            return None


def demo(
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End after printing; exit 0 only if all is as expected.")] = False,
    home: Annotated[Path | None, typer.Option("--home", help="Keep the home here (default: temporary).")] = None,
    samples: Annotated[Path, typer.Option("--samples", help="Films to send.")] = SAMPLES,
) -> None:
    """Start the service, send the sample films by C-STORE, let the network look, print the list."""
    from rich.console import Console

    console = Console()
    if not (samples / "expected.json").is_file():
        raise TriageError(f"{samples} holds no sample films; run this in a checkout, or name them with --samples")
    with (
        tempfile.TemporaryDirectory(prefix="triage-demo-") as temporary,
        _service((home or Path(temporary)).absolute()) as started,
    ):
        _wait("starting the service", console, started, READY_WITHIN, lambda: _ready(started))
        sign_ins, token = _accounts(started.log.parent)
        service = replace(started, token=token)
        _send(samples, service, console)
        _wait("the network is looking", console, service, ASSESSED_WITHIN, lambda: _settled(service, samples))
        surprises = _show(service, samples, console)
        ends = "until this command ends" if no_wait else "Ctrl-C ends"
        console.print(f"\nThe list is live at {service.web}/   ({ends})", highlight=False)
        for name, password in sign_ins.items():
            console.print(f"  sign in as {name:12} password {password}", highlight=False, markup=False)
        console.print(f"  for scripts: Authorization: Bearer {token}", highlight=False, markup=False, soft_wrap=True)
        if not no_wait:
            _stay(service)
    if surprises:
        for line in surprises:
            typer.echo(f"triage: {line}", err=True)
        raise typer.Exit(1)


def _accounts(home: Path) -> tuple[dict[str, str], str]:
    """The demonstration's accounts, made anew each time: passwords by name, and a token for scripts."""
    from triage.bootstrap import open_site
    from triage.bootstrap.accounts import accounts_of
    from triage.config import load
    from triage.domain.account import Role

    site = open_site(load(home=home, environment={}))  # never another site's database, as the service itself
    accounts, passwords = accounts_of(site), {}
    with site.database.read() as transaction:
        there = {one.name for one in transaction.accounts.accounts()}
    for name, role in (("radiologist", Role.RADIOLOGIST), ("admin", Role.PACS_ADMIN)):
        passwords[name] = secrets.token_urlsafe(12)
        if name in there:
            accounts.set_password(name, passwords[name], DEMO)
        else:
            accounts.add(name, role, DEMO, passwords[name])
    if DEMO not in there:
        accounts.add(DEMO, Role.SERVICE, DEMO)
    token = accounts.issue_token(DEMO, DEMO)
    site.database.close()
    return passwords, token


@contextmanager
def _service(home: Path) -> Iterator[_Service]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    dimse_port, web_port = free_port(), free_port()
    arguments = ["--home", str(home), "--dimse-port", str(dimse_port), "--web-port", str(web_port), "--demo", "--supervised"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    log = home / "service.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - our own argument list
            [sys.executable, "-m", "triage", "serve", *arguments],
            stdin=subprocess.PIPE,  # closes when this process dies, however it dies: the service then stops by itself
            stdout=stream,
            stderr=stream,
            env=environment,
            start_new_session=True,
        )
        try:
            yield _Service(process, log, dimse_port, f"http://127.0.0.1:{web_port}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _wait(what: str, console: "Console", service: _Service, seconds: float, done: Callable[[], bool]) -> None:
    """Wait until it is done, as long as the service lives.

    Raises:
        TriageError: it ended, or it took longer than ``seconds``; says which, and what the service said last.
    """
    begun = time.monotonic()
    with console.status(what):
        while not done():
            waited, ended = time.monotonic() - begun, service.process.poll()
            if ended is not None or waited > seconds:
                came = (
                    f"the service ended (exit code {ended})"
                    if ended is not None
                    else "not done; a busy machine may need longer"
                )
                last = "".join(service.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-5:])
                raise TriageError(f"{what}: {came}, after {waited:.0f} s; the service said last:\n{last or '(nothing)'}")
            time.sleep(POLL)


def _ready(service: _Service) -> bool:
    answer = service.ask("/readyz")
    return bool(answer and answer["ready"])


def _settled(service: _Service, samples: Path) -> bool:
    rows = service.ask("/api/v1/worklist")
    expected = json.loads((samples / "expected.json").read_text(encoding="utf-8"))["studies"]
    return rows is not None and len(rows) >= len(expected) and all(row["level"] != "pending" for row in rows)


def _send(samples: Path, service: _Service, console: "Console") -> None:
    from rich.progress import Progress

    from triage.dimse.store_scu import files_in, send
    from triage.domain.destination import Destination

    files = list(files_in([samples]))
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("C-STORE", total=len(files))
        sent = send(files, Destination("TRIAGE", "127.0.0.1", service.dimse_port), "DEMO", lambda _: bar.advance(task))
    refused = [one for one in sent if not one.ok]
    if refused:
        raise TriageError(
            f"{len(refused)} of {len(files)} films were refused, first: {refused[0].path.name} {refused[0].comment}"
        )
    slowest = max(one.seconds for one in sent)
    console.print(f"{len(sent)} films stored by C-STORE, slowest answer {slowest * 1000:.0f} ms", highlight=False)


def _show(service: _Service, samples: Path, console: "Console") -> list[str]:
    """Print the list and how it compares; returns what is not as ``expected.json`` states."""
    from rich.table import Table
    from rich.text import Text

    from triage.cli import tables

    rows = service.ask("/api/v1/worklist")
    document = json.loads((samples / "expected.json").read_text(encoding="utf-8"))
    expected = {one["study_instance_uid"]: one for one in document["studies"]}
    table = Table(box=None, padding=(0, 1), header_style="bold", caption=tables.FOOTER, caption_justify="left")
    for heading in ("#", "Priority", "Patient", "MRN", "Exam", "Text label", "Radiologist"):
        table.add_column(heading, justify="right" if heading == "#" else "left", overflow="fold")
    surprises, mistakes, judged = [], 0, 0
    for row in rows:
        told = expected.get(row["study_instance_uid"])
        if told is None:
            continue
        if (row["rank"], row["level"], row["reason"]) != (told["rank"], told["level"], told["reason"]):
            found = f"place {row['rank']}, {row['level']}{_because(row)}"
            surprises.append(f"{told['file']}: {found}; expected place {told['rank']}, {told['level']}{_because(told)}")
        truth = told["radiologist_label"] or told["text_label"]
        if row["level"] in ("flagged", "not_flagged") and truth:
            judged += 1
            mistakes += (row["level"] == "flagged") != (truth == "abnormal")
        table.add_row(
            str(row["rank"]),
            tables.marked(row),
            Text(tables.person(row["patient_name"])),
            Text(tables.clean(row["patient_id"])),
            Text(" · ".join(tables.clean(row[key]) for key in ("study_description", "view", "modality") if row[key])),
            told["text_label"] or "",
            told["radiologist_label"] or "",
        )
    console.print(table)
    console.print(
        f"\nThe network ({rows[0]['model'] or document['model']}) differs from the films' labels on {mistakes} of {judged} "
        "films: the list reorders, it never removes.",
        highlight=False,
    )
    if len(rows) != len(expected):
        surprises.append(f"{len(rows)} studies on the list, {len(expected)} expected")
    return surprises


def _because(row: dict[str, Any]) -> str:
    return f" ({row['reason']})" if row["reason"] else ""


def _stay(service: _Service) -> None:
    try:
        service.process.wait()
    except KeyboardInterrupt:
        return
