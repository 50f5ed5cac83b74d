"""A network in the middle of its training, as one file: what is needed to go on as if nothing had happened."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.files import replacing
from training.run import Weights

FACTS = "facts"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``facts``: what JSON can say (phase, epoch, state of the numpy generator, the best so far); ``arrays``: by group and
    name: weights, their average, the best ones, optimiser, states of dropout."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, Weights]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file as a whole; without pickle.

    Raises:
        TrainingError: it cannot be written; the one before stays.
    """
    flat = {f"{group}/{name}": value for group, values in checkpoint.arrays.items() for name, value in values.items()}
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **{FACTS: np.array(json.dumps(checkpoint.facts)), **flat})


def load(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; ``None`` where there is none.

    Raises:
        TrainingError: the file is damaged.
    """
    if not path.exists():
        return None
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            facts = json.loads(str(archive[FACTS]))
            for key in set(archive.files) - {FACTS}:
                group, name = key.split("/", 1)
                arrays.setdefault(group, {})[name] = archive[key]
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path} is damaged ({error}); remove it to train this network from its beginning") from None
    return Checkpoint(facts, arrays)
