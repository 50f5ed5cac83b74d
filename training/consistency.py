"""Do the train labels agree with the pixels as well as those of val do? Wrong labels, by fault or by intent, do not.

Val is frozen and small enough to be looked over; train grows. The films are read by a network that is already trusted (the
one that comes with the project); a logistic regression on its features is learned from the train labels and asked about
films of train that it has not seen, and about val. Where many train labels are wrong, it fails on train, not on val
(the idea of Northcutt, Jiang and Chuang 2021, confident learning, without estimating which labels).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import audit, paired, progress, statistics
from training.manifest import DataSet, Film
from training.statistics import Mask
from training.tensors import tensors
from triage.inference.classifier import LiteRtClassifier
from triage.inference.load import load_classifier
from triage.inference.registry import DEFAULT, PACKAGED

STRENGTH = 0.01


def trusted() -> LiteRtClassifier | None:
    """The network that comes with the project; ``None`` where it comes with none yet.

    Raises:
        BundleError: it is damaged.
    """
    return load_classifier(PACKAGED / DEFAULT) if (PACKAGED / DEFAULT / "manifest.json").is_file() else None


def measure(data: DataSet, reader: LiteRtClassifier | None) -> dict[str, Any] | None:
    """AUC against best labels on train (five folds by patient) and on val, val − train, and who read: the bundle's id.

    ``agreement``: share of the films with both labels on which report and radiologist agree, by split. No test film
    is read. ``None`` without a reader.

    Raises:
        TrainingError: a film is missing or cannot be used.
    """
    if reader is None:
        return None
    train, val = data.split("train"), data.split("val")
    films = [*train, *val]
    pixels = tensors(data, films, reader.spec)
    features = np.stack([reader.outputs(film)["features"][0] for film in progress.track(list(pixels), "reading")])
    return {"reader": reader.model.bundle_id, **compare(train, features[: len(train)], val, features[len(train) :])}


def compare(train: Sequence[Film], of_train: NDArray[Any], val: Sequence[Film], of_val: NDArray[Any]) -> dict[str, Any]:
    """:func:`measure` from the films' features, (n, C) each."""
    model = audit.model(STRENGTH)
    first = audit.cross_validated(of_train, _abnormal(train), np.array([film.patient for film in train]), model)
    second = statistics.Figure(None, None, None, len(val))
    if first.value is not None:
        model.fit(of_train, _abnormal(train))
        second = statistics.auc(_abnormal(val), np.asarray(model.decision_function(of_val), dtype=np.float64))
    return {
        "train": first.as_dict(),
        "val": second.as_dict(),
        "val minus train": paired.independent_difference(second, first).as_dict(),
        "agreement": {"train": _agreement(train).as_dict(), "val": _agreement(val).as_dict()},
    }


def _abnormal(films: Sequence[Film]) -> Mask:
    return np.array([film.label == "abnormal" for film in films])


def _agreement(films: Sequence[Film]) -> statistics.Figure:
    both = [film for film in films if film.radiologist_label]
    return statistics.proportion(sum(film.text_label == film.radiologist_label for film in both), len(both))
