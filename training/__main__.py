"""``python -m training COMMAND``: import, audit, train, calibrate, evaluate, bundle; each says what comes next."""

import logging
import os
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from training import cli_audit, cli_import
from training.cli_show import DATA, DataOption, figure, say, table
from training.errors import TrainingError
from triage.domain.errors import TriageError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Retrain the network: manifest in, bundle out.")
app.add_typer(cli_import.app, name="import")
app.command()(cli_audit.audit)

RunArgument = Annotated[Path, typer.Argument(help="Run directory, as train wrote it.")]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of training/recipes, or a TOML file.")],
    data: DataOption = DATA,
    out: Annotated[Path | None, typer.Option(help="Run directory to write; default runs/RECIPE.")] = None,
) -> None:
    """Train a recipe. Example: python -m training train recommended --data runs/nih --out runs/recommended."""
    from training import manifest, run
    from training import recipe as recipes

    films, source = manifest.read(data), recipes.find(recipe)
    target = out or Path("runs") / source.stem
    begun = run.begin(target, source)
    from training.train import train as train_

    def report(line: dict[str, Any]) -> None:
        say(
            f"seed {line['seed']} epoch {line['epoch']:3d}  loss {line['loss']:.3f}  val AUC {line['val_auc']:.4f}"
            f"  {line['seconds']:.1f} s"
        )

    train_(begun, films, report, _commit())
    say(f"{target}: trained; next: python -m training calibrate {target} --data {data}")


@app.command()
def calibrate(run: RunArgument, data: DataOption = DATA) -> None:
    """Fit probability and operating point on val. Example: python -m training calibrate runs/recommended."""
    from training import calibrate as step
    from training import manifest
    from training.run import resume_at

    result = step.calibrate(resume_at(run), manifest.read(data))
    calibration, point = result["calibration"], result["operating_point"]
    rows = [
        [who, *(f"{calibration[when][who][what]:.3f}" for what in ("ece", "brier") for when in ("before", "after"))]
        for who in calibration["after"]
    ]
    table("val: calibration", ["labels", "ECE before", "after", "Brier before", "after"], rows)
    rows = [[who, *(figure(values[name]) for name in values)] for who, values in point["measured_on_val"].items()]
    table(
        f"val: threshold {point['threshold']:.4f} ({point['aim']})", ["labels", "sensitivity", "specificity", "flagged"], rows
    )
    say(f"next: python -m training evaluate {run} --data {data}")


@app.command()
def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, side by side.")],
    data: DataOption = DATA,
    out: Annotated[Path | None, typer.Option(help="Also write all figures to this JSON file.")] = None,
) -> None:
    """Look at the locked test split. Example: python -m training evaluate runs/recommended runs/paper."""
    from training import evaluate as step
    from training import manifest
    from training.run import resume_at

    films = manifest.read(data)
    opened = [resume_at(path) for path in runs]
    for one in opened:
        one.check_trained_on(films.digest())
    looks = step.count_look(films, [path.name for path in runs], datetime.now(UTC))
    results = {path.name: step.evaluate(one, films) | {"test_looks": looks} for path, one in zip(runs, opened, strict=True)}
    floor, ceiling = step.linear_floor(films), step.label_ceiling(films)
    for one, path in zip(opened, runs, strict=True):
        results[path.name] |= {"linear_floor": floor, "label_ceiling": ceiling}
        one.write_json("metrics.json", results[path.name])
    columns = {**{name: result["test"]["auc"] for name, result in results.items()}, "linear pixels": floor["auc"]}
    for who, title in (("radiologist", "radiologists' labels"), ("text", "text-mined labels")):
        rows = [[group, *(figure(found[who][group]) for found in columns.values())] for group in floor["auc"][who]]
        table(f"test: AUC against {title}", ["group", *columns], rows)
    rows = [
        [name, who, *(figure(value) for value in values.values())]
        for name, result in results.items()
        for who, values in result["test"]["operating_point"].items()
    ]
    table("test: at the operating point chosen on val", ["run", "labels", "sensitivity", "specificity", "flagged"], rows)
    say(ceiling)
    say(f"Linear pixels reached {floor['reference']:.2f} (text labels) when the data were put together.")
    say(f"Looks at this test split so far: {looks}.")
    if out:
        import json

        from training.run import atomically

        atomically(out, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())


@app.command()
def bundle(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="Bundle directory to write; must not exist.")],
    version: Annotated[str, typer.Option(help="Version of the bundle, such as 1.0.0.")],
    data: DataOption = DATA,
) -> None:
    """Write what the service loads. Example: python -m training bundle runs/recommended --out /tmp/b --version 1.0.0."""
    from training import bundle as step
    from training import manifest
    from training.run import resume_at

    result = step.bundle(resume_at(run), manifest.read(data), out, version, datetime.now(UTC))
    say(f"{out}: bundle {result['bundle_id']}, {result['bytes'] / 1e6:.1f} MB, golden films agree")
    say(f"Keras and LiteRT differ by at most {result['keras_litert_difference']:.1e} over all val and test films")
    say(f"next: triage models install {out}")


def _commit() -> str:
    """The commit of the source, marked where it was changed since; ``unknown`` without git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def _quiet() -> None:
    """TensorFlow's start-up chatter says nothing to a user; must happen before its import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GLOG_minloglevel", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="tensorflow")


def main() -> None:
    """Run a command; a fault it foresees is one line on stderr and exit code 1."""
    _quiet()
    try:
        app()
    except (TrainingError, TriageError) as error:
        print(f"training: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
