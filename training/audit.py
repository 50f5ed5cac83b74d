"""The shortcut audit: how well can the label be told from the train films without looking at the chest?"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kurtosis, skew
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training import duplicates, statistics
from training.manifest import UNKNOWN_AGE, VIEWS, DataSet, Film
from training.tensors import Tensors, tensors
from triage.imaging.spec import PreprocessingSpec

Features = NDArray[np.float64]

SPEC = PreprocessingSpec(height=64, width=64)
"""The size at which films are audited and compared."""
FOLDS = 5
SOME, STRONG = 0.60, 0.70
"""A shortcut is spoken of, and called strong, where the lower end of its AUC's interval reaches this."""
NAMES = {
    "metadata": "view, sex and age alone",
    "thumbnail": "an 8 × 8 thumbnail",
    "statistics": "twelve statistics of the grey values",
}
READING = (
    "A network may learn these instead of disease: compare its AUC with them, group by group. "
    "(A large effusion shows in a thumbnail and in grey values too, so not all of their AUC is a shortcut; in metadata none.)"
)
TABLES: dict[str, Callable[[Film], str]] = {
    "view": lambda film: film.view,
    "sex": lambda film: film.sex,
    "pool": lambda film: film.pool,
    "label source": lambda film: film.label_source,
}


def audit(data: DataSet) -> dict[str, Any]:
    """Shortcuts on train, by label source and group; tables of label by view, sex, pool, label source; duplicates.

    Labels of val and test are not read; their pictures are, to find the same one in two splits.

    Raises:
        TrainingError: a film is missing or cannot be used.
    """
    pixels = tensors(data, data.films, SPEC)
    train = data.split("train")
    inside = np.array([film.split == "train" for film in data.films])
    areas = shortcuts(train, pixels[inside])
    return {
        "films": len(train),
        "auc": {
            who: {group: {name: figure.as_dict() for name, figure in row.items()} for group, row in rows.items()}
            for who, rows in areas.items()
        },
        "tables": {name: table(train, key) for name, key in TABLES.items()},
        "meaning": meaning(areas),
        "duplicates": [pair.as_dict() for pair in duplicates.find(data.films, pixels)],
    }


def shortcuts(films: Sequence[Film], pixels: Tensors) -> dict[str, dict[str, dict[str, statistics.Figure]]]:
    """AUC by label source, group and kind of shortcut, cross-validated by patient within the group.

    The intervals are DeLong's over films; where a patient has many films they are somewhat too narrow.
    """
    kinds = features(films, pixels)
    patients = np.array([film.patient for film in films])
    found: dict[str, dict[str, dict[str, statistics.Figure]]] = {}
    for who in ("radiologist", "text"):
        labels = np.array([getattr(film, f"{who}_label") for film in films])
        found[who] = {}
        for group, member in _groups(films):
            chosen = member & (labels != "")
            if chosen.any():
                positive = labels[chosen] == "abnormal"
                found[who][group] = {
                    name: cross_validated(values[chosen], positive, patients[chosen], model()) for name, values in kinds.items()
                }
    return found


def table(films: Sequence[Film], key: Callable[[Film], str]) -> list[dict[str, Any]]:
    """Best label by ``key``: a row for each value, with the share of abnormal films and its interval."""
    rows = []
    for value in sorted({key(film) for film in films}):
        labels = [film.label for film in films if key(film) == value]
        abnormal = labels.count("abnormal")
        share = statistics.proportion(abnormal, len(labels))
        rows.append(
            {"value": value or "unknown", "normal": len(labels) - abnormal, "abnormal": abnormal, "share": share.as_dict()}
        )
    return rows


def meaning(areas: dict[str, dict[str, dict[str, statistics.Figure]]]) -> list[str]:
    """What the figures say, in plain sentences."""
    sentences = []
    for who, groups in areas.items():
        for group, figures in groups.items():
            name, figure = max(figures.items(), key=lambda item: item[1].low or 0.0)
            if figure.low is not None and figure.low >= SOME:
                where = "in all train films" if group == "all" else f"among {group} films"
                sentences.append(
                    f"{'Strong' if figure.low >= STRONG else 'Some'} shortcut {where} ({who} labels): {NAMES[name]} "
                    f"reach{'es' if name == 'thumbnail' else ''} AUC {figure.value:.2f}."
                )
    if sentences:
        return [*sentences, READING]
    if all(figure.value is None for rows in areas.values() for row in rows.values() for figure in row.values()):
        return [f"Too few films to tell: each class needs {FOLDS} patients."]
    return ["No shortcut seen: neither tags, thumbnail nor grey values tell the label well. Others may exist."]


def _groups(films: Sequence[Film]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield "all", np.ones(len(films), dtype=bool)
    for prefix, key in (("", TABLES["view"]), ("pool ", TABLES["pool"])):
        values = np.array([key(film) for film in films])
        if len(set(values)) > 1:
            yield from ((f"{prefix}{value or 'unknown view'}", values == value) for value in sorted(set(values)))


def features(films: Sequence[Film], pixels: Tensors) -> dict[str, Features]:
    """What each kind of shortcut sees of the films, (n, C) each; the keys are those of :data:`NAMES`."""
    return {"metadata": _metadata(films), "thumbnail": _thumbnail(pixels), "statistics": _grey_statistics(pixels)}


def model(strength: float = 0.1) -> Any:
    """Logistic regression on standardised features; a smaller ``strength`` binds it more."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, solver="newton-cholesky"))


def cross_validated(
    values: Features, positive: NDArray[np.bool_], patients: NDArray[np.str_], untrained: Any
) -> statistics.Figure:
    """AUC of a model on films that it has not seen, five folds by patient; no value where a class has too few patients."""
    if min(len(set(patients[positive])), len(set(patients[~positive]))) < FOLDS:
        return statistics.Figure(None, None, None, len(positive))
    scores = np.zeros(len(positive))
    for fit, rest in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(values, positive, patients):
        untrained.fit(values[fit], positive[fit])
        scores[rest] = untrained.decision_function(values[rest])
    return statistics.auc(positive, scores)


def _metadata(films: Sequence[Film]) -> Features:
    """View and sex as yes or no, age with its square; (n, 7)."""
    known = [film.age for film in films if film.age != UNKNOWN_AGE]
    middle = float(np.mean(known)) if known else 0.0
    ages = np.array([middle if film.age == UNKNOWN_AGE else film.age for film in films]) / 10
    columns = [np.array([film.view == view for film in films]) for view in VIEWS]
    columns += [np.array([film.sex == sex for film in films]) for sex in "FM"]
    return np.column_stack([*columns, ages, (ages - middle / 10) ** 2]).astype(np.float64)


def _thumbnail(pixels: Tensors) -> Features:
    """Block means, (n, 64)."""
    n, height, width, _ = pixels.shape
    blocks: Features = pixels.reshape(n, 8, height // 8, 8, width // 8).mean(axis=(2, 4), dtype=np.float64)
    return blocks.reshape(n, -1)


def _grey_statistics(pixels: Tensors) -> Features:
    """Mean, deviation, skewness, kurtosis, seven percentiles and entropy of the grey values, (n, 12)."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    percentiles = np.percentile(flat, (5, 10, 25, 50, 75, 90, 95), axis=1)
    shares = np.stack([np.histogram(film, 32, (0, 1))[0] for film in flat]) / flat.shape[1]
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    moments = (flat.mean(axis=1), flat.std(axis=1), skew(flat, axis=1), kurtosis(flat, axis=1))
    return np.column_stack([*moments, *percentiles, entropy])
