"""A run: the directory in which one recipe becomes a network. Files, in the order in which the commands write them.

``recipe.toml`` as given · ``run.json`` pedigree · ``members/<seed>.npz`` each best network · ``history.jsonl`` one line an
epoch · ``weights.npz`` the network as it will be bundled · ``calibration.json`` · ``operating_point.json`` · ``metrics.json``
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import recipe
from training.errors import TrainingError

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """The directory and its recipe."""

    path: Path
    recipe: recipe.Recipe

    @property
    def architecture(self) -> dict[str, Any]:
        """Builder and arguments of the whole network; several seeds make a committee."""
        network, input_ = self.recipe.network, self.recipe.input
        arguments = {**network.arguments, "height": input_.height, "width": input_.width}
        if len(self.recipe.schedule.seeds) > 1:
            arguments["members"] = len(self.recipe.schedule.seeds)
        return {"builder": network.builder, "arguments": arguments}

    def read_json(self, name: str, made_by: str) -> Any:
        """A JSON file of the run.

        Raises:
            TrainingError: not there yet; names the command that makes it.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TrainingError(f"{self.path / name} is missing; run first: python -m training {made_by}") from None

    def check_trained_on(self, manifest_digest: str) -> None:
        """The data are those of the training: else a film could be in train there and in test here.

        Raises:
            TrainingError: not trained yet, or on another manifest.
        """
        if self.read_json("run.json", "train")["manifest_digest"] != manifest_digest:
            raise TrainingError(f"{self.path} was trained on another manifest; name its data set with --data, or train again")

    def write_json(self, name: str, value: Any) -> None:
        """Replace a JSON file of the run as a whole."""
        atomically(self.path / name, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def begin(path: Path, recipe_path: Path) -> Run:
    """A fresh run of a recipe.

    Raises:
        TrainingError: the recipe is refused, or the directory holds a run already.
    """
    text = recipe_path.read_text(encoding="utf-8")
    parsed = recipe.parse(text, recipe_path.name)
    if (path / "recipe.toml").exists():
        raise TrainingError(f"{path} holds a run already; name another directory, or remove it")
    (path / "members").mkdir(parents=True, exist_ok=True)
    atomically(path / "recipe.toml", text.encode())
    return Run(path, parsed)


def resume_at(path: Path) -> Run:
    """The run in a directory.

    Raises:
        TrainingError: there is none.
    """
    file = path / "recipe.toml"
    if not file.is_file():
        raise TrainingError(f"{path} is no run: recipe.toml is missing; run first: python -m training train")
    return Run(path, recipe.parse(file.read_text(encoding="utf-8"), str(file)))


def atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a reader finds the old or the new one, never half of it."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def save_weights(path: Path, weights: Weights) -> None:
    """Write weights by name, without pickle."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **dict(weights))
    part.replace(path)


def load_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Weights by name.

    Raises:
        TrainingError: not trained yet.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is missing; run first: python -m training train")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
