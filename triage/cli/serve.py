"""``triage serve``: run the roles."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.cli.common import Config, Home, settings

if TYPE_CHECKING:
    from triage.config import Settings

ROLES = ("intake", "worker", "web", "scheduler", "publisher", "orders")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    roles: Annotated[
        list[str] | None,
        typer.Argument(
            help="intake, worker, web, scheduler, publisher, orders (default: all; publisher where there are destinations, "
            "orders where hl7.port is set)."
        ),
    ] = None,
    home: Home = None,
    config: Config = None,
    dimse_port: Annotated[int | None, typer.Option(help="Port of the Storage SCP; 0: any free one.")] = None,
    web_port: Annotated[int | None, typer.Option(help="Port of the pages; 0: any free one.")] = None,
    demo: Annotated[bool, typer.Option("--demo", hidden=True)] = False,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    restarts: Annotated[int, typer.Option("--restarts", hidden=True)] = 0,
    name: Annotated[str | None, typer.Option("--name", hidden=True)] = None,
) -> None:
    """Run the service. One role runs in this process; several each in their own, watched and restarted. SIGTERM drains."""
    unknown = [role for role in roles or () if role not in ROLES]
    if unknown:
        raise typer.BadParameter(f"no such role: {unknown[0]}; there are {', '.join(ROLES)}")
    overrides: dict[str, Any] = {}
    if dimse_port is not None:
        overrides["dimse"] = {"port": dimse_port}
    if web_port is not None:
        overrides["web"] = {"port": web_port}
    values = settings(home, config, overrides)
    chosen = roles or default_roles(values)

    from triage import bootstrap

    if len(chosen) == 1:
        launch = bootstrap.Launch(name=name or chosen[0], supervised=supervised, restarts=restarts, demo=demo)
        bootstrap.run_role(chosen[0], values, launch)
        return
    from triage.listening import port_handed_over
    from triage.supervisor import stop_event

    stop: threading.Event = stop_event(supervised)
    ports = {
        "--dimse-port": port_handed_over("dimse.port") or values.dimse.port or free_port(),
        "--web-port": values.web.port or free_port(),
    }
    arguments = ["--home", str(values.home), *(["--config", str(config)] if config else []), *(["--demo"] if demo else [])]
    for option, port in ports.items():
        arguments += [option, str(port)]
    typer.echo(
        f"C-STORE to {values.dimse.ae_title}@{values.dimse.host}:{ports['--dimse-port']}   "
        f"list at http://{values.web.host}:{ports['--web-port']}/   home {_short(values.home)}",
        err=True,
    )
    raise typer.Exit(bootstrap.run_supervisor(chosen, values, arguments, stop))


def default_roles(values: "Settings") -> list[str]:
    """The roles that start where none is named."""
    wanted = {"publisher": bool(values.destinations), "orders": bool(values.hl7.port)}
    return [role for role in ROLES if wanted.get(role, True)]


def free_port() -> int:
    """A port that was free a moment ago; roles that restart keep it."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
