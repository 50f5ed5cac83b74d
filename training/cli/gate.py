"""``python -m training gate``: the image gate of a run, fitted on train, cut-offs chosen on val."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli.show import DATA, DataOption, figure, say, table


def gate(
    run: Annotated[Path, typer.Argument(help="Run directory, as train wrote it.")],
    data: DataOption = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="The written eligibility.json on stdout, nothing else.")] = False,
) -> None:
    """Fit the image gate: what is a chest film, upright, whole? Example: python -m training gate runs/recommended."""
    from training import manifest
    from training.gate import step
    from training.run import resume_at

    document = step.gate(resume_at(run), manifest.read(data))
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    fitted = document["image_gate"]
    show_gate("val", fitted["chosen_on"]["figures"])
    say(f"a film passes from {fitted['chest_at_least']:.4f} on; {fitted['fitted_on']['pictures']:,} pictures were learned from")
    say(f"next: python -m training evaluate {run} --data {data}")


def show_gate(split: str, figures: list[dict[str, Any]]) -> None:
    """What the gate says, kind by kind."""
    rows = [
        [row["kind"], row["expected"], figure(row["right"]), ", ".join(f"{word} {n}" for word, n in row["words"].items())]
        for row in figures
    ]
    table(f"{split}: image gate", ["kind of picture", "should be", "share that is", "words"], rows)
