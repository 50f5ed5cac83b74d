"""What was imported, in counts, for people."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from training import manifest, statistics


def headline(films: Sequence[manifest.Film]) -> str:
    """Films, patients and prevalence with Wilson's interval, in one line."""
    share = statistics.proportion(sum(film.label == "abnormal" for film in films), len(films))
    return f"{len(films)} films of {len({film.patient for film in films})} patients; abnormal (best label): {share}"


def by_split(data: manifest.DataSet) -> list[dict[str, Any]]:
    """Films, patients, labels by source and views of each split."""
    lines = []
    for split in manifest.SPLITS:
        films = data.split(split)
        text, radiologist = (Counter(getattr(film, f"{who}_label") for film in films) for who in ("text", "radiologist"))
        lines.append(
            {
                "split": split,
                "films": len(films),
                "patients": len({film.patient for film in films}),
                "text_abnormal": text["abnormal"],
                "radiologist": len(films) - radiologist[""],
                "radiologist_abnormal": radiologist["abnormal"],
                "PA": sum(film.view == "PA" for film in films),
                "AP": sum(film.view == "AP" for film in films),
            }
        )
    return lines


def by_class(films: Sequence[manifest.Film]) -> list[dict[str, Any]]:
    """View, sex and age of normal and abnormal films (best label); age as median and quartiles."""
    lines = []
    for label in manifest.LABELS:
        chosen = [film for film in films if film.label == label]
        ages = [film.age for film in chosen if film.age != manifest.UNKNOWN_AGE]
        counts: dict[str, Any] = {"class": label, "films": len(chosen)}
        for name in ("PA", "AP", ""):
            counts[name or "view unknown"] = sum(film.view == name for film in chosen)
        for name in ("F", "M"):
            counts[name] = sum(film.sex == name for film in chosen)
        low, middle, high = np.percentile(ages, (25, 50, 75)) if ages else (0, 0, 0)
        lines.append(counts | {"age": f"{middle:.0f} ({low:.0f}–{high:.0f}, n={len(ages)})" if ages else "unknown"})
    return lines
