"""Gates for tests: of random numbers, of one word, and the packaged bundle's own."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.inference.conftest import reseal
from triage.domain.opinion import Word
from triage.inference.bundle import open_bundle
from triage.inference.gate import LEARNED, Gate
from triage.inference.registry import PACKAGED

NAMES = ("convolution1", "convolution2", "dense1", "dense2")


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """A small gate's numbers, as ``eligibility.npz`` holds them; thumbnails of 16 pixels."""
    rng = np.random.default_rng(seed)
    shapes = ((3, 3, 1, 4), (3, 3, 4, 6), (4 * 4 * 6, 5), (5, len(LEARNED)))
    found = {}
    for name, shape in zip(NAMES, shapes, strict=True):
        found[f"{name}/kernel"] = rng.normal(0, 0.5, shape).astype(np.float32)
        found[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1]).astype(np.float32)
    return found


def said(**changes: object) -> dict[str, object]:
    """Its ``image_gate``."""
    return {
        "method": "thumbnail_cnn_1",
        "side": 16,
        "words": [word.code for word in LEARNED],
        "chest_at_least": 0.6,
        "certain_at_least": 0.9,
        "convolutions": 2,
        **changes,
    }


def gate(seed: int = 0, chest_at_least: float = 0.6) -> Gate:
    """A gate that learned nothing."""
    held = arrays(seed)
    layers = [(held[f"{name}/kernel"], held[f"{name}/bias"]) for name in NAMES]
    return Gate(
        side=16,
        words=LEARNED,
        chest_at_least=chest_at_least,
        certain_at_least=0.9,
        convolutions=tuple(layers[:2]),
        dense=tuple(layers[2:]),
    )


def of_one_word(word: Word) -> dict[str, np.ndarray]:
    """The numbers of a gate that says ``word`` of everything."""
    held = {name: np.zeros_like(value) for name, value in arrays().items()}
    held["dense2/bias"][LEARNED.index(word)] = 20
    return held


def put_gate(bundle: Path, numbers: dict[str, np.ndarray], **changes: object) -> None:
    """Give a bundle a gate of these numbers and reseal."""
    (bundle / "eligibility.json").write_text(json.dumps({"image_gate": said(**changes)}))
    np.savez(bundle / "eligibility.npz", **numbers)
    reseal(bundle)


def packaged_gate() -> Gate:
    """That of the packaged bundle; without one the test is skipped."""
    found = open_bundle(PACKAGED / "recommended").gate
    if found is None:
        pytest.skip("the packaged bundle brings no image gate")
    return found
