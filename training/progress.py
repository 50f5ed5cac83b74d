"""Progress bars on stderr; silent where nobody watches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")


@contextmanager
def bar() -> Iterator[Progress]:
    """A bar with count, time passed and time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield progress


def track(items: Sequence[T], description: str) -> Iterator[T]:
    """``items``, with a bar that moves as they are taken."""
    with bar() as progress:
        yield from progress.track(items, description=description)
