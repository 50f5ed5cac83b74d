"""Train: a data set and a recipe → a run directory with the network's weights; goes on where an earlier try was cut."""

import json
import math
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training import checkpoint, course, estimate, keras_network, material, opinion, progress
from training.course import PRETRAIN, TRAIN, Course, Outside, Phase
from training.errors import TrainingError
from training.interrupt import Interrupted
from training.manifest import DataSet, patients_digest
from training.material import Val
from training.member import Member
from training.run import Run, load_weights, save_weights
from training.tensors import bytes_to_write, tensors

LIBRARIES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scipy", "scikit-learn", "ai-edge-litert")
COMPLETE, EARLY, BUDGET = "complete", "stopped early", "time budget"
"""How the training of a network ends."""
CREDIT = ("name", "provider", "download", "paper", "licence")
"""What the pedigree says of the source of a pretraining."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done: run and data, the data of a pretraining, the time budget in seconds; the rest for the pedigree."""

    run: Run
    data: DataSet
    pretraining: DataSet | None = None
    budget: float | None = None
    deterministic: bool = False
    commit: str = "unknown"


def train(plan: Plan, outside: Outside) -> dict[str, Any]:
    """Train one network a seed on ``split=train``, keep each one's best epoch on ``val``, join them into one.

    What an earlier try has finished is not done again. Of ``data``, only train and val films are learned from or judged by (a
    pretraining's films are compared with those of test, too). Returns the pedigree.

    Raises:
        TrainingError: the recipe cannot be built, a film is unusable, the disk has no room, or the loss is no number.
        Interrupted: someone asked to stop; the same call goes on from the last whole epoch.
    """
    run, seeds = plan.run, plan.run.recipe.schedule.seeds
    material.check_pretraining(run.recipe, plan.data, plan.pretraining)
    with run.locked():
        again = (run.path / "events.jsonl").exists()
        facts = {"commit": plan.commit, "recipe": run.recipe.name, "seeds": seeds, "budget_seconds": plan.budget}
        course.log(run, outside, "resumed" if again else "started", **facts)
        try:
            _train_members(plan, outside)
            save_weights(
                run.path / "weights.npz", keras_network.committee([load_weights(_member(run, seed)) for seed in seeds])
            )
            pedigree = _pedigree(plan)
            run.write_json("run.json", pedigree)
        except Interrupted:
            course.log(run, outside, "interrupted")
            raise
        except TrainingError as error:
            course.log(run, outside, "failed", reason=str(error))
            raise
        course.log(run, outside, "finished", ended=pedigree["ended"])
    return pedigree


def _train_members(plan: Plan, outside: Outside) -> None:
    run, seeds = plan.run, plan.run.recipe.schedule.seeds
    _check_disk(plan, outside)
    val = material.of_val(plan.data, run.recipe)
    phases = _phases(plan, val)
    ends = outside.clock() + (math.inf if plan.budget is None else plan.budget)
    with outside.stop.stepping(), progress.bar() as bar:
        under_way = Course(run, phases, outside, bar, plan.budget)
        for number, seed in enumerate(seeds):
            if not _member(run, seed).exists():
                share = (ends - outside.clock()) / (len(seeds) - number)
                _train_member(plan, number, phases[number], val, outside.clock() + share, under_way)


def _check_disk(plan: Plan, outside: Outside) -> None:
    run, spec = plan.run, plan.run.recipe.input.spec()
    network = keras_network.build(run.architecture, members=1)
    needed = estimate.disk(4 * network.count_params(), len(run.recipe.schedule.seeds))
    needed += sum(bytes_to_write(data, spec) for data in (plan.data, plan.pretraining) if data)
    free = outside.free(run.path)
    estimate.check_disk(run.path, needed, free)
    outside.say(f"disk: {estimate.size(needed)} needed, {estimate.size(free)} free")


def _phases(plan: Plan, val: Val) -> list[list[Phase]]:
    """What each network goes through, in the order of the seeds."""
    recipe, schedule = plan.run.recipe, plan.run.recipe.schedule
    films = material.of_train(plan.data, recipe)
    steps = films.steps(schedule.batch)
    train = Phase(TRAIN, films, schedule.epochs, schedule.learning_rate, steps, len(val.films))
    asked = opinion.phases(plan.data, recipe)
    if not (recipe.pretrain and plan.pretraining):
        return [[*asked, train], *([train] for _ in schedule.seeds[1:])]
    own, others = recipe.pretrain, material.of_pretraining(plan.pretraining, recipe)
    judged = [*plan.data.split("val"), *plan.data.split("test")]
    material.check_pictures(tensors(plan.data, judged, recipe.input.spec()), others.films, plan.pretraining.path)
    first = Phase(PRETRAIN, others, own.epochs, own.learning_rate, others.steps(schedule.batch), 0, own.augment)
    then = replace(train, epochs=own.then_epochs or train.epochs, learning_rate=own.then_learning_rate or train.learning_rate)
    networks = [[first, then] if seed in (own.seeds or schedule.seeds) else [train] for seed in schedule.seeds]
    networks[0][-1:-1] = asked
    return networks


def _train_member(plan: Plan, number: int, phases: list[Phase], val: Val, until: float, under_way: Course) -> None:
    """All phases of one network, from its checkpoint on; ``until``: when its share of the time budget is spent."""
    run = plan.run
    seed, patience = run.recipe.schedule.seeds[number], run.recipe.schedule.patience
    kept = run.path / "checkpoints" / f"{seed}.npz"
    saved, member = checkpoint.load(kept), Member(run, seed)
    first = [phase.name for phase in phases].index(saved.facts["phase"]) if saved else 0
    for phase in phases[first:]:
        member.enter(phase)
        if saved and phase is phases[first]:
            member.restore(saved)
        judged = phase is phases[-1]
        if judged and (wanted := run.recipe.opinion):
            under_way.log("second opinion", seed=seed, labels_moved=opinion.heed(run, plan.data, wanted, phase.material))
        _forget(run, seed, member.facts["epoch"] if judged else 0)
        took = 0.0
        while not (ended := _ended(member.facts, phase, patience if judged else 0, under_way.clock() + took > until)):
            under_way.at(number, phase, member.facts["epoch"])
            began = under_way.clock()
            loss = member.train_epoch(phase.material, under_way.step)
            line = {"seed": seed, "epoch": member.facts["epoch"], "loss": loss}
            if judged:
                line["val_auc"], line["val_loss"] = member.judge(val)
            line["seconds"] = took = under_way.clock() - began
            member.facts["seconds"] += took
            if judged:
                run.append("history.jsonl", line)
            checkpoint.save(kept, member.checkpoint())
            under_way.epoch(phase, line)
        if ended != COMPLETE:
            under_way.log(ended, seed=seed, phase=phase.name, epoch=member.facts["epoch"])
        member.facts["out_of_time"] |= ended == BUDGET
        if phase.asked is not None:
            opinion.keep(run, phase, member.answers(phase.asked))
    facts = {name: member.facts[name] for name in ("epoch", "best_epoch", "best_val_auc", "seconds")}
    facts["ended"] = BUDGET if member.facts["out_of_time"] else ended
    run.write_json(f"members/{seed}.json", facts)
    save_weights(_member(run, seed), member.best)
    kept.unlink(missing_ok=True)
    under_way.log("member finished", seed=seed, **facts)


def _ended(facts: dict[str, Any], phase: Phase, patience: int, out_of_time: bool) -> str:
    """Why a phase is over, or nothing; each has one epoch at least."""
    if facts["epoch"] >= phase.epochs:
        return COMPLETE
    if patience and facts["epoch"] - facts["best_epoch"] >= patience:
        return EARLY
    return BUDGET if out_of_time and facts["epoch"] > 0 else ""


def _forget(run: Run, seed: int, epochs: int) -> None:
    """Drop lines of the history that were written before a kill, but after the checkpoint."""
    lines = run.lines("history.jsonl")
    true = [line for line in lines if line["seed"] != seed or line["epoch"] <= epochs]
    if len(true) < len(lines):
        run.write_text("history.jsonl", "".join(json.dumps(line) + "\n" for line in true))


def _member(run: Run, seed: int) -> Path:
    return run.path / "members" / f"{seed}.npz"


def _pedigree(plan: Plan) -> dict[str, Any]:
    run, data = plan.run, plan.data
    members = {str(seed): run.read_json(f"members/{seed}.json", "train") for seed in run.recipe.schedule.seeds}
    return {
        "recipe": run.recipe.model_dump(mode="json"),
        "commit": plan.commit,
        "libraries": libraries(),
        "data": str(data.source["name"]),
        "manifest_digest": data.digest(),
        "patients": {split: patients_digest(data.split(split)) for split in ("train", "val", "test")},
        "pretrained_on": _pretrained_on(plan.pretraining),
        "deterministic": plan.deterministic,
        "ended": BUDGET if any(member["ended"] == BUDGET for member in members.values()) else COMPLETE,
        "members": members,
        "seconds": round(sum(member["seconds"] for member in members.values()), 1),
    }


def _pretrained_on(data: DataSet | None) -> dict[str, Any] | None:
    if data is None:
        return None
    films = len(data.split("train")) + len(data.split("val"))
    return {**{key: data.source[key] for key in CREDIT}, "manifest_digest": data.digest(), "films": films}


def libraries() -> dict[str, str]:
    """Versions of what decides the numbers, as far as installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ImportError:
            continue
    return found
