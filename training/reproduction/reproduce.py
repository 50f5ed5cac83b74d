"""Reproduce the paper: a data set → both protocols trained and measured, in a directory that can be resumed.

``run.json`` what is being done · ``by-film.npz``, ``by-patient.npz`` state after the last whole epoch · ``parts.json``
seconds of each start · ``reproduction.json`` all figures, once everything is done.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from training import keras_network, progress, weights
from training.errors import TrainingError
from training.evaluate import count_look
from training.files import replacing
from training.interrupt import Stop
from training.manifest import DataSet
from training.networks import BUILDERS
from training.recipe import Recipe
from training.reproduction.figures import measured, view_alone
from training.reproduction.learn import Ears, Material, Row, kept, learn, seconds_a_film
from training.reproduction.protocols import PROTOCOLS, Protocol
from training.tensors import tensors
from training.train import libraries

LOOK = "reproduce-paper"
RESULT = "reproduction.json"


def reproduce(
    data: DataSet,
    recipe: Recipe,
    epochs: Sequence[int],
    out: Path,
    now: datetime,
    say: Callable[[str], None],
    stop: Stop,
) -> dict[str, Any]:
    """Train each protocol once, to the last of ``epochs``, with a look at its test films after each of them.

    Where ``out`` holds the same work begun, it goes on from the last whole epoch. All of it is one counted look at the
    data set's test split. Returns, and writes as ``reproduction.json``, every figure.

    Raises:
        Interrupted: someone asked ``stop``; calling again goes on.
        TrainingError: ``out`` holds other work, a film cannot be used, or the loss is no number.
    """
    began = time.monotonic()
    pledge = _begun(out, data, recipe, epochs, now)
    if (done := _read(out / RESULT)) is not None:
        say(f"{out}: done already; remove it to train again")
        return dict(done)
    protocols = [draw(data.films, np.random.default_rng(recipe.schedule.seeds[0])) for draw in PROTOCOLS]
    say(_expectation(data, recipe, protocols, [len(kept(_state(out, protocol))) for protocol in protocols], max(epochs)))
    earlier = _read(out / "parts.json") or []

    def note_time() -> None:
        _write(out / "parts.json", [*earlier, round(time.monotonic() - began, 1)])

    def hear(protocol: Protocol, row: Row) -> None:
        note_time()
        say(_line(protocol.name, row))

    try:
        rows = {protocol.name: _learned(data, recipe, protocol, epochs, out, hear, stop) for protocol in protocols}
    finally:
        note_time()
    found = pledge | {
        "settings": _settings(recipe),
        "parts_seconds": _read(out / "parts.json"),
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
        "libraries": libraries(),
        "data": {key: data.source.get(key, "") for key in ("name", "provider", "download", "paper")},
        "protocols": {protocol.name: _described(protocol) | {"epochs": rows[protocol.name]} for protocol in protocols},
    }
    _write(out / RESULT, found)
    return dict(_read(out / RESULT))


def _learned(
    data: DataSet,
    recipe: Recipe,
    protocol: Protocol,
    epochs: Sequence[int],
    out: Path,
    hear: Callable[[Protocol, Row], None],
    stop: Stop,
) -> list[Row]:
    """The rows of one protocol's training, with the figures on its test films in those of ``epochs``."""
    material, state = _material(data, recipe, protocol), _state(out, protocol)
    films = tensors(data, protocol.test, recipe.input.spec())

    def look(network: Any) -> dict[str, Any]:
        return measured(protocol.test, protocol.leaked(), keras_network.logits(network, films))

    steps = -(-len(protocol.train) // recipe.schedule.batch)
    with progress.bar() as bar:
        task = bar.add_task(protocol.name, total=max(epochs) * steps, completed=len(kept(state)) * steps)
        ears = Ears(step=lambda: bar.advance(task), epoch=lambda row: hear(protocol, row))
        return learn(recipe, material, max(epochs), dict.fromkeys(epochs, look), state, ears, stop)


def _state(out: Path, protocol: Protocol) -> Path:
    return out / f"{protocol.name.replace(' ', '-')}.npz"


def _begun(out: Path, data: DataSet, recipe: Recipe, epochs: Sequence[int], now: datetime) -> dict[str, Any]:
    """What this directory is for; the first time, that is written down and the look is counted."""
    decisive = recipe.model_dump(mode="json", exclude_defaults=True, exclude={"purpose"})
    work = {"manifest_digest": data.digest(), "recipe": decisive, "epochs": sorted(epochs)}
    known = _read(out / "run.json")
    if known is None:
        out.mkdir(parents=True, exist_ok=True)
        known = work | {"begun": now.isoformat(timespec="seconds"), "test_looks": count_look(data, [LOOK], now)}
        _write(out / "run.json", known)
    different = [key for key, value in work.items() if known[key] != value]
    if different:
        raise TrainingError(f"{out} holds a reproduction with another {different[0]}; name another directory with --out")
    return dict(known)


def _material(data: DataSet, recipe: Recipe, protocol: Protocol) -> Material:
    spec = recipe.input.spec()
    return Material(
        films=tensors(data, protocol.train, spec),
        labels=weights.labels(protocol.train, recipe.labels),
        val_films=tensors(data, protocol.val, spec),
        val_labels=weights.labels(protocol.val, recipe.labels),
    )


def _expectation(data: DataSet, recipe: Recipe, protocols: Sequence[Protocol], done: Sequence[int], epochs: int) -> str:
    """A step forward only, as for val, counts as a third of one of learning."""
    films = sum(
        (epochs - rows) * (len(protocol.train) + len(protocol.val) / 3) for protocol, rows in zip(protocols, done, strict=True)
    )
    minutes = films * seconds_a_film(recipe, _material(data, recipe, protocols[0])) / 60 if films else 0
    again = f" ({sum(done)} of {epochs * len(done)} epochs are done)" if any(done) else ""
    return f"about {minutes:.0f} min{again}: {len(done)} networks, {epochs} epochs each"


def _settings(recipe: Recipe) -> dict[str, Any]:
    """What decides the network and its training, defaults of the builder included."""
    parameters = signature(BUILDERS[recipe.network.builder]).parameters
    schedule = recipe.schedule
    return {
        **{name: parameter.default for name, parameter in parameters.items() if parameter.default is not parameter.empty},
        **recipe.network.arguments,
        "height": recipe.input.height,
        "width": recipe.input.width,
        "batch": schedule.batch,
        "learning_rate": schedule.learning_rate,
        "seed": schedule.seeds[0],
    }


def _line(name: str, row: dict[str, Any]) -> str:
    return (
        f"{name:10s} epoch {row['epoch']:3d}  train accuracy {row['accuracy']:.3f} loss {row['loss']:.3f}"
        f"  val accuracy {row['val_accuracy']:.3f} loss {row['val_loss']:.3f}  {row['seconds']:.1f} s"
    )


def _described(protocol: Protocol) -> dict[str, Any]:
    def counts(films: Sequence[Any]) -> dict[str, int]:
        labels = [film.text_label for film in films]
        return {
            "films": len(films),
            "normal": labels.count("normal"),
            "abnormal": labels.count("abnormal"),
            "patients": len({film.patient for film in films}),
        }

    sizes = {name: counts(films) for name, films in protocol.splits.items()}
    return {
        "splits": sizes,
        "test_films_of_train_patients": sum(protocol.leaked()),
        "view_alone": view_alone(protocol.train, protocol.test),
    }


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _write(path: Path, value: Any) -> None:
    with replacing(path) as file:
        file.write((json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
