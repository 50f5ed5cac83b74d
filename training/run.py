"""A run: the directory in which one recipe becomes a network. Files, in the order in which the commands write them.

``begun.json`` data and options · ``recipe.toml`` as given · ``events.jsonl`` what happened when · ``history.jsonl`` one line
an epoch · ``checkpoints/<seed>.npz`` a network in training · ``opinions/<phase>.npy`` second opinions, where the recipe asks
for them · ``members/<seed>.npz`` and ``.json`` each network as kept, and how its training ended · ``weights.npz`` the network
as it will be bundled · ``run.json`` pedigree; once it is there, the training is over · ``calibration.json`` ·
``operating_point.json`` · ``eligibility.json`` and ``eligibility.npz`` the image gate · ``metrics.json``
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import recipe
from training.errors import TrainingError
from training.files import replacing

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
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Replace a text file of the run as a whole."""
        atomically(self.path / name, text.encode())

    def append(self, name: str, value: Mapping[str, Any]) -> None:
        """Add one line to a JSONL file of the run, or nothing of it.

        Raises:
            TrainingError: it cannot be written.
        """
        line = (json.dumps(value, ensure_ascii=False) + "\n").encode()
        try:
            with (self.path / name).open("ab", buffering=0) as file:
                begin = file.tell()
                if file.write(line) < len(line):
                    file.truncate(begin)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise TrainingError(f"{self.path / name} cannot be written ({error.strerror}); free some disk and resume") from None

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a JSONL file of the run, oldest first; none where it is missing."""
        path = self.path / name
        if not path.exists():
            return []
        whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")  # a power cut may leave half a line at the end
        return [json.loads(line) for line in whole.splitlines()]

    def finished(self) -> bool:
        """Whether the training is over."""
        return (self.path / "run.json").exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else trains here meanwhile; a dead process holds no lock.

        Raises:
            TrainingError: another process does.
        """
        with (self.path / "recipe.toml").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise TrainingError(f"{self.path} is being trained by another process; wait for it, or stop it") from None
            yield


def begin(path: Path, recipe_path: Path, options: Mapping[str, Any] | None = None) -> Run:
    """A fresh run of a recipe; ``options``: what ``resume`` needs to know, kept as ``begun.json``.

    Raises:
        TrainingError: the recipe is refused, or the directory holds a run already.
    """
    text = recipe_path.read_text(encoding="utf-8")
    parsed = recipe.parse(text, recipe_path.name)
    if (path / "recipe.toml").exists():
        raise TrainingError(f"{path} holds a run already; resume it, name another directory, or remove it")
    for folder in ("members", "checkpoints"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    if options is not None:
        Run(path, parsed).write_json("begun.json", options)
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
    with replacing(path) as file:
        file.write(content)


def save_weights(path: Path, weights: Weights) -> None:
    """Write weights by name, without pickle."""
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **dict(weights))


def load_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Weights by name.

    Raises:
        TrainingError: not trained yet.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is missing; run first: python -m training train")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
