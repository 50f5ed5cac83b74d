"""How the commands speak: lines, figures, tables."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

DATA = Path("runs/nih")
DataOption = Annotated[Path, typer.Option(help="Data set directory, as import wrote it.")]


def say(text: str) -> None:
    """One line, not folded at the edge of the window: it may be copied."""
    Console().print(text, soft_wrap=True, highlight=False, markup=False)


def figure(values: dict[str, Any]) -> str:
    """A figure as JSON keeps it, for people."""
    from training.statistics import Figure

    return str(Figure(**values))


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """A table; the first column holds names, the others numbers."""
    drawn = Table(title=title, title_justify="left")
    for number, name in enumerate(head):
        drawn.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        drawn.add_row(*row)
    Console().print(drawn)  # made now: the window may be another than at the import
