"""``python -m training bundle``: what the service loads."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from training.cli.show import DATA, DataOption, say


def bundle(
    run: Annotated[Path, typer.Argument(help="Run directory, calibrated and evaluated.")],
    out: Annotated[Path, typer.Option(help="Bundle directory to write; must not exist.")],
    version: Annotated[str, typer.Option(help="Version of the bundle, such as 1.0.0.")],
    data: DataOption = DATA,
) -> None:
    """Write what the service loads. Example: python -m training bundle runs/recommended --out new --version 1.0.0."""
    from training import bundle as step
    from training import manifest
    from training.run import resume_at

    result = step.bundle(resume_at(run), manifest.read(data), out, version, datetime.now(UTC))
    say(f"{out}: bundle {result['bundle_id']}, {result['bytes'] / 1e6:.1f} MB, golden films agree")
    say(f"Keras and LiteRT differ by at most {result['keras_litert_difference']:.1e} over all val and test films")
    say(f"next: python -m training promote {out} --data {data}")
