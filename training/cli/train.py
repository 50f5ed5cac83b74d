"""``python -m training train`` and ``resume``: recipe and data set → run directory."""

import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli.show import DATA, DataOption, say
from training.errors import TrainingError
from training.interrupt import RESUMABLE, Interrupted, on_signal

if TYPE_CHECKING:
    from training.manifest import DataSet
    from training.run import Run

BudgetOption = Annotated[float | None, typer.Option(min=0, metavar="MINUTES", help="End after the epoch that still fits.")]
PretrainOption = Annotated[Path | None, typer.Option(help="Data set for the recipe's table pretrain.")]


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of training/recipes, or a TOML file.")],
    data: DataOption = DATA,
    out: Annotated[Path | None, typer.Option(help="Run directory to write; default runs/RECIPE.")] = None,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="The same bits each time on this machine.")] = False,
    time_budget: BudgetOption = None,
    pretrain_data: PretrainOption = None,
) -> None:
    """Train a recipe. Example: python -m training train recommended --data runs/nih --out runs/recommended."""
    from training import manifest, material, run
    from training import recipe as recipes

    films, source = manifest.read(data), recipes.find(recipe)
    pretraining = manifest.read(pretrain_data) if pretrain_data else None
    material.check_pretraining(recipes.parse(source.read_text(encoding="utf-8"), source.name), films, pretraining)
    target = out or Path("runs") / source.stem
    begun = {
        "data": str(data.absolute()),
        "manifest_digest": films.digest(),
        "pretrain_data": str(pretrain_data.absolute()) if pretrain_data else None,
        "pretrain_manifest_digest": pretraining.digest() if pretraining else None,
        "deterministic": deterministic,
        "commit": _commit(),
    }
    _go(run.begin(target, source, begun), films, pretraining, begun, time_budget)


def resume(
    run: Annotated[Path, typer.Argument(help="Run directory of a training that was cut.")],
    data: Annotated[Path | None, typer.Option(help="Where the data set is now, if it was moved.")] = None,
    time_budget: BudgetOption = None,
    pretrain_data: Annotated[Path | None, typer.Option(help="Where the pretraining's data set is now.")] = None,
) -> None:
    """Go on with a training from its last whole epoch. Example: python -m training resume runs/recommended."""
    from training.run import resume_at

    opened = resume_at(run)
    if opened.finished():
        pedigree = opened.read_json("run.json", "train")
        ended = f" by its {pedigree['ended']}" if pedigree.get("ended", "complete") != "complete" else ""
        say(f"{run}: the training is finished{ended}; nothing to resume; next: python -m training calibrate {run}")
        return
    begun = opened.read_json("begun.json", "train")
    films = _same(data or Path(begun["data"]), begun["manifest_digest"], "--data")
    other = pretrain_data or begun["pretrain_data"]
    pretraining = _same(Path(other), begun["pretrain_manifest_digest"], "--pretrain-data") if other else None
    _go(opened, films, pretraining, begun, time_budget)


def _same(path: Path, digest: str | None, option: str) -> "DataSet":
    """The data set with which the run began."""
    from training import manifest

    data = manifest.read(path)
    if data.digest() != digest:
        raise TrainingError(f"{path} is not the data set with which this run began; name that one with {option}, or train anew")
    return data


def _go(run: "Run", data: "DataSet", pretraining: "DataSet | None", begun: dict[str, Any], minutes: float | None) -> None:
    commit = begun["commit"] if (now := _commit()) == begun["commit"] else f"{begun['commit']}, resumed at {now}"
    with on_signal() as stop:
        try:
            from training import keras_network
            from training.course import Outside
            from training.train import Plan
            from training.train import train as step

            if begun["deterministic"]:
                keras_network.be_deterministic()
            budget = None if minutes is None else 60 * minutes
            pedigree = step(
                Plan(
                    run=run,
                    data=data,
                    pretraining=pretraining,
                    budget=budget,
                    deterministic=begun["deterministic"],
                    commit=commit,
                ),
                Outside(
                    stop=stop,
                    now=lambda: datetime.now(UTC),
                    clock=time.monotonic,
                    free=lambda path: shutil.disk_usage(path).free,
                    say=say,
                    epoch=_show,
                ),
            )
        except Interrupted:
            say(f"interrupted, no whole epoch is lost; go on with: python -m training resume {run.path}")
            raise typer.Exit(RESUMABLE) from None
    if pedigree["ended"] != "complete":
        epochs = ", ".join(f"seed {seed}: {one['epoch']}" for seed, one in pedigree["members"].items())
        planned = run.recipe.schedule.epochs
        say(f"{run.path}: ended by the time budget, not complete (of {planned} epochs: {epochs}); the best so far is kept")
    say(f"{run.path}: trained; next: python -m training calibrate {run.path} --data {data.path}")


def _show(line: dict[str, Any]) -> None:
    judged = f"val AUC {line['val_auc']:.4f}" if "val_auc" in line else "pretraining"
    say(f"seed {line['seed']} epoch {line['epoch']:3d}  loss {line['loss']:.3f}  {judged}  {line['seconds']:.1f} s")


def _commit() -> str:
    """The commit of the source, marked where it was changed since; ``unknown`` without git."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607

    try:
        # installed into somebody else's repository, that one's commit says nothing
        own = Path(git("rev-parse", "--show-toplevel")).resolve() == root
        return git("describe", "--always", "--dirty", "--abbrev=40") if own else "unknown"
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
