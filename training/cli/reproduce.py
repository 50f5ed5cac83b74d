"""``python -m training reproduce-paper``: Tables II and III of the paper, beside the paper's own figures."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli.show import DATA, DataOption, say, table
from training.interrupt import RESUMABLE, Interrupted, on_signal

RUN = Path("runs/reproduction")
DOCUMENT = Path("docs/reproduction.md")


def reproduce_paper(
    data: DataOption = DATA,
    out: Annotated[Path, typer.Option(help="Directory of the work; where it is begun, it goes on.")] = RUN,
    epochs: Annotated[str, typer.Option(help="Numbers of epochs to report.")] = "10,20,30,40,50",
    document: Annotated[Path, typer.Option(help="Page to write (.md); plot (.svg) and figures (.json) beside it.")] = DOCUMENT,
) -> None:
    """Make the paper's Tables II and III again, split as it did and by patient; a look at the test split is counted.

    Example: python -m training reproduce-paper --data runs/nih --out runs/reproduction.
    """
    numbers = _numbers(epochs)
    try:
        with on_signal() as stop:
            import tensorflow

            from training import manifest, recipe
            from training.reproduction.reproduce import reproduce

            tensorflow.config.experimental.enable_op_determinism()
            films, source = manifest.read(data), recipe.find("paper")
            paper = recipe.parse(source.read_text(encoding="utf-8"), source.name)
            found = reproduce(films, paper, numbers, out, datetime.now(UTC), say, stop)
    except Interrupted:
        say(f"{out}: interrupted; the same command goes on from the last whole epoch")
        raise typer.Exit(RESUMABLE) from None
    show(found)
    _write(found, document)
    say(f"{document}: written; trained in {sum(found['parts_seconds']) / 60:.1f} min")


def show(found: dict[str, Any]) -> None:
    """The tables and what they mean, for people at a terminal."""
    from training.reproduction import document, tables

    for one in tables.narrow(found):
        table(one.title, one.head, one.rows)
    for sentence in (*document.shortfall(found), *document.meaning(found), *document.pedigree(found)):
        say(sentence)


def _write(found: dict[str, Any], page: Path) -> None:
    from training.files import replacing
    from training.reproduction.document import markdown
    from training.reproduction.plot import curves

    plot = page.with_suffix(".svg")
    texts = {
        plot: curves(found),
        page.with_suffix(".json"): json.dumps(found, indent=1, ensure_ascii=False) + "\n",
        page: markdown(found, plot.name),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        with replacing(path) as file:
            file.write(text.encode())


def _numbers(epochs: str) -> list[int]:
    parts = epochs.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{epochs!r} is no list of numbers such as 10,20,30,40,50", param_hint="--epochs")
    return sorted({int(part) for part in parts})
