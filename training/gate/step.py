"""The step ``gate``: fitted on train, cut-offs chosen on val; the test split is not read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training import progress
from training.errors import TrainingError
from training.gate import fit, material, measure, pictures
from training.gate.kinds import ACCEPTED, REFUSED
from training.gate.measure import LEAST, Shares
from training.manifest import DataSet, Film, patients_digest
from training.run import Run, save_weights
from triage.domain.opinion import Word
from triage.inference.gate import LEARNED, Gate, read_gate, thumbnail

SIDE = 256
"""Films are learned from with sides of at most so many pixels."""
ACCEPT = 0.985
"""Share of val films, as they are and a little tilted or cut, that the cut-off lets pass."""
ORDINARY = ("as it is", "tilted by up to 5°", "cut by 5 % a side")
CERTAIN = 0.9
"""The belief below which nothing is certain, however few pictures of chests reach it."""
CHESTS_LOST = 0.005
"""Share of all pictures made of chests, parts and turned ones too, that may be called *certainly* no chest. The tags must say
the same before a film is out of scope."""
VAL_SEED = 1


def gate(run: Run, data: DataSet) -> dict[str, Any]:
    """Write ``eligibility.json`` and ``eligibility.npz`` of a run; returns the former.

    Raises:
        TrainingError: the run is not trained, or on another manifest; or the gate falls short on val.
    """
    run.check_trained_on(data.digest())
    spec, seed = run.recipe.input.spec(), run.recipe.schedule.seeds[0]
    train, val = data.split("train"), data.split("val")
    rng = np.random.default_rng(seed)
    thumbnails, places = [], []
    films = progress.track(list(range(len(train))), "making pictures")
    source = pictures.grey(data, train, SIDE, spec)
    for picture, word in material.examples((next(source) for _ in films), rng):
        made = pictures.tensor(picture, spec)
        if made is not None:
            thumbnails.append(thumbnail(made, fit.SIDE))
            places.append(LEARNED.index(word))
    weights = fit.fit(np.stack(thumbnails), np.array(places), seed)
    provisional = fit.gate_of(weights, 0.5, 0.5)
    found = measure.looks(provisional, data, val, spec, VAL_SEED)
    chosen = fit.gate_of(weights, *_cut_offs(found))
    figures = measure.table(chosen, found)
    document = {
        "image_gate": {
            "method": "thumbnail_cnn_1",
            "side": chosen.side,
            "words": [word.code for word in chosen.words],
            "chest_at_least": chosen.chest_at_least,
            "certain_at_least": chosen.certain_at_least,
            "convolutions": len(chosen.convolutions),
            "fitted_on": _facts("train", train, len(places)),
            "chosen_on": _facts("val", val, len(val) * len(found)) | {"accept": ACCEPT, "figures": figures},
            "seed": seed,
        },
        "note": "films are judged by their tags and by their image",
    }
    _check(figures)
    save_weights(run.path / "eligibility.npz", weights)
    run.write_json("eligibility.json", document)
    return document


def of_run(run: Run) -> Gate | None:
    """The gate of a run; ``None``: it has none.

    Raises:
        TrainingError: it is damaged.
    """
    path = run.path / "eligibility.json"
    if not path.is_file():
        return None
    try:
        return read_gate(run.read_json(path.name, "gate")["image_gate"], (run.path / "eligibility.npz").read_bytes())
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(f"{path}: {error}; run again: python -m training gate") from None


def _cut_offs(found: dict[str, list[Shares | None]]) -> tuple[float, float]:
    """The one above which a film passes, and the one above which a picture is certainly no chest film."""
    ordinary = np.concatenate([measure.chest(found[name]) for name in ORDINARY])
    of_chests = [
        one[Word.NOT_A_CHEST]
        for kind in (*ACCEPTED, *REFUSED)
        if kind.word is not Word.NOT_A_CHEST
        for one in found[kind.name]
        if one is not None
    ]
    passing = float(np.quantile(ordinary, 1 - ACCEPT))
    certain = float(np.quantile(of_chests, 1 - CHESTS_LOST))
    return min(max(passing, 0.5), 0.999), min(max(certain, CERTAIN), 0.9999)


def _check(figures: Sequence[dict[str, Any]]) -> None:
    short = [row for row in measure.asked(figures) if row["right"]["value"] < LEAST]
    if short:
        said = "; ".join(f"{row['kind']} {row['right']['value']:.3f} {row['expected']}" for row in short)
        raise TrainingError(f"the gate falls short of {LEAST} on val: {said}; more train films are needed, none was written")


def _facts(split: str, films: Sequence[Film], pictures_: int) -> dict[str, Any]:
    return {"split": split, "films": len(films), "patients": patients_digest(films), "pictures": pictures_}
