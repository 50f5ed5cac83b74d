"""``python -m training report``: a run as one HTML page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from training.cli.show import DATA, DataOption, say


def report(
    run: Annotated[Path, typer.Argument(help="Run directory, calibrated; evaluated or not.")],
    data: DataOption = DATA,
    out: Annotated[Path | None, typer.Option(help="File to write; default RUN/report.html.")] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = False,
) -> None:
    """Write a run's figures, curves, errors and maps as one page. Example: python -m training report runs/recommended."""
    from training import manifest
    from training.report import build
    from training.run import atomically, resume_at

    page = build.html(resume_at(run), manifest.read(data)).encode()
    target = out or run / "report.html"
    atomically(target, page)
    evaluated = (run / "metrics.json").exists()
    say(f"{target}: {len(page) / 1e6:.1f} MB" + ("" if evaluated else "; val only: the test split has not been evaluated"))
    if show:
        webbrowser.open(target.resolve().as_uri())
