"""Options that several commands share, and how they print."""

import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from triage.bootstrap import Site
    from triage.config import Settings

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Where everything lies (default: TRIAGE_HOME or ./triage-home).", show_default=False),
]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (default: HOME/triage.toml).", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only.")]


def settings(home: Path | None, config: Path | None = None, overrides: dict[str, Any] | None = None) -> "Settings":
    """The settings in force."""
    from triage.config import load

    return load(home=home, config=config, overrides=overrides)


def site(home: Path | None, config: Path | None = None) -> "Site":
    """An existing home, opened."""
    from triage.bootstrap import open_site

    return open_site(settings(home, config))


def operator() -> str:
    """The operating system's user at work; not the one that a variable names."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return str(os.getuid())


def print_json(value: Any) -> None:
    """JSON, UTF-8, on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def progress_bar() -> "Progress":
    """A bar on stderr that goes when done; silent where nobody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
