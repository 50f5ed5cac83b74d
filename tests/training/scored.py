"""Invented test scores: films with labels, and networks that tell them apart more or less well."""

import numpy as np

from training import scores
from training.compare import Scored
from training.manifest import Film
from training.statistics import Values


def films(n: int = 1200, seed: int = 0) -> list[Film]:
    """Half abnormal; a radiologist saw two in three; view, sex, age and pool by chance."""
    rng = np.random.default_rng(seed)
    return [
        Film(
            digest=f"{number:064x}",
            source_name="",
            patient=f"p{number}",
            view=("PA", "AP")[int(rng.integers(2))],
            sex=("F", "M")[int(rng.integers(2))],
            age=int(rng.integers(18, 90)),
            text_label=(label := ("normal", "abnormal")[number % 2]),
            radiologist_label=label if number % 3 else "",
            radiologist_source="rsna" if number % 3 else "",
            findings="Mass" if label == "abnormal" else "No Finding",
            pool=("a", "b")[int(rng.integers(2))],
            split="test",
        )
        for number in range(n)
    ]


def evidence_of(rows: list[Film], strength: float = 2.2, own: int = 1, shared: float = 0.97) -> Values:
    """Probabilities that keep their word: a likelihood ratio between two unit normals ``strength`` apart; ``shared`` is the
    correlation of the noise of two networks (each with its ``own``)."""
    common, private = np.random.default_rng(99).normal(size=len(rows)), np.random.default_rng(own).normal(size=len(rows))
    abnormal = np.array([film.label == "abnormal" for film in rows])
    x = strength * abnormal + np.sqrt(shared) * common + np.sqrt(1 - shared) * private
    found: Values = 1 / (1 + np.exp(-strength * (x - strength / 2)))
    return found


def network(rows: list[Film], found: Values, name: str = "candidate", threshold: float = 0.3) -> Scored:
    """As ``compare.read`` would give it."""
    lines = scores.rows(rows, found)
    return Scored(name, threshold, scores.read(lines, name), {"threshold": threshold, "test_films": lines})
