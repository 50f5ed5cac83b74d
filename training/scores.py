"""Per-film scores, as ``metrics.json`` keeps them: enough to compare networks later without the films."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from training.errors import TrainingError
from training.manifest import UNKNOWN_AGE, Film
from training.statistics import Values


def rows(films: Sequence[Film], scores: Values) -> list[dict[str, Any]]:
    """A row a film: digest, probability of *abnormal*, labels, and what it takes to group the films.

    No file name, and instead of the patient's key a running number: bundles travel, and a key could be guessed back.
    """
    numbers: dict[str, str] = {}
    for film in films:
        numbers.setdefault(film.patient, str(len(numbers) + 1))
    return [
        {
            "film": film.digest,
            "probability": float(score),
            "text": film.text_label,
            "radiologist": film.radiologist_label,
            "split": film.split,
            "patient": numbers[film.patient],
            "view": film.view,
            "sex": film.sex,
            "age": None if film.age == UNKNOWN_AGE else film.age,
            "pool": film.pool,
            "findings": film.findings,
        }
        for film, score in zip(films, scores, strict=True)
    ]


def read(lines: Iterable[dict[str, Any]], origin: str) -> dict[str, tuple[Film, float]]:
    """Film and probability by digest; bundles made before 1.1 say no more of a film than its labels.

    Raises:
        TrainingError: a row is not one of :func:`rows`, or its probability is none.
    """
    try:
        found = {row["film"]: (_film(row), float(row["probability"])) for row in lines}
    except (KeyError, TypeError, ValueError):
        raise TrainingError(f"{origin}: per-film scores are damaged; evaluate again") from None
    if not all(np.isfinite(score) and 0 <= score <= 1 for _, score in found.values()):
        raise TrainingError(f"{origin}: a per-film score is no probability; evaluate again")
    return found


def _film(row: dict[str, Any]) -> Film:
    age = row.get("age")
    return Film(
        digest=row["film"],
        source_name="",
        patient=row.get("patient", row["film"]),
        view=row.get("view", ""),
        sex=row.get("sex", ""),
        age=UNKNOWN_AGE if age is None else int(age),
        text_label=row["text"],
        radiologist_label=row["radiologist"],
        radiologist_source="",
        findings=row.get("findings", ""),
        pool=row.get("pool", ""),
        split=row.get("split", "test"),
    )
