"""What people type. Each module adds its commands; heavy imports stay inside the commands that need them."""

import sys
from typing import Annotated

import typer

from triage import __version__
from triage.cli import (
    alive,
    backup,
    conformance,
    deliveries,
    demo,
    drift,
    export,
    look,
    migrate,
    models,
    operate,
    quarantine,
    reading,
    serve,
    support,
    tls,
    users,
)
from triage.domain.errors import ConfigError, TriageError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_CONFIGURATION = 78

app = typer.Typer(
    name="triage",
    help="Chest X-ray triage: films in by C-STORE, suspected-abnormal studies first on the list. "
    "Notification only; not for diagnostic use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the command."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"triage {__version__}")


for module in (
    serve,
    demo,
    look,
    drift,
    alive,
    quarantine,
    deliveries,
    reading,
    migrate,
    operate,
    backup,
    export,
    support,
    models,
    users,
    tls,
    conformance,
):
    module.register(app)


def main() -> None:
    """Run; errors are one line on stderr (what, where, remedy), a traceback only with ``--debug``."""
    debug = "--debug" in sys.argv[1:2]
    try:
        app()
    except TriageError as error:
        if debug:
            raise
        for line in str(error).splitlines():
            typer.echo(f"triage: {line}", err=True)
        sys.exit(EXIT_CONFIGURATION if isinstance(error, ConfigError) else EXIT_FAILED)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
    except OSError as error:
        if debug:
            raise
        typer.echo(f"triage: {error.filename or 'operating system'}: {error.strerror}", err=True)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
