"""Compare two networks on the same test films, from the per-film scores that ``evaluate`` wrote. Pure but for :func:`read`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import paired, resample, scores
from training.errors import TrainingError
from training.manifest import Film
from training.paired import Difference
from training.statistics import Mask, Values
from training.subgroups import groups

SOURCES = ("radiologist", "text")
ENOUGH = 30
"""Subgroups with fewer films of one label source are not compared."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A network's scores of the test split: film and probability by digest; ``metrics`` is the whole ``metrics.json``."""

    name: str
    threshold: float
    films: dict[str, tuple[Film, float]]
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Films that two networks scored, in the same order; a film's attributes are those that either of the two knows."""

    films: list[Film]
    first: Values
    second: Values
    first_flagged: Mask
    second_flagged: Mask
    left_out: int

    def source(self, who: str, member: Mask | None = None) -> "Sample":
        """The films that ``who`` (radiologist, text, or best: the radiologist's label, else the report's) labelled."""
        labels = np.array([film.label if who == "best" else getattr(film, f"{who}_label") for film in self.films])
        chosen = labels != "" if member is None else (labels != "") & member
        return Sample(
            positive=labels[chosen] == "abnormal",
            patients=[film.patient for film, inside in zip(self.films, chosen, strict=True) if inside],
            first=self.first[chosen],
            second=self.second[chosen],
            first_flagged=self.first_flagged[chosen],
            second_flagged=self.second_flagged[chosen],
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """Labels, scores and calls of the films of one label source and group, (n,) each."""

    positive: Mask
    patients: list[str]
    first: Values
    second: Values
    first_flagged: Mask
    second_flagged: Mask

    def auc(self) -> Difference:
        """Difference of the areas."""
        return paired.auc_difference(self.positive, self.first, self.second, self.patients)

    def sensitivity(self) -> Difference:
        """Difference of the sensitivities, each at the network's own operating point."""
        return paired.share_difference(self.first_flagged[self.positive], self.second_flagged[self.positive])

    def specificity(self) -> Difference:
        """Difference of the specificities, each at the network's own operating point."""
        return paired.share_difference(~self.first_flagged[~self.positive], ~self.second_flagged[~self.positive])


def read(path: Path) -> Scored:
    """The test scores in a run or a bundle directory.

    Raises:
        TrainingError: nothing was evaluated there, or the file is damaged.
    """
    try:
        metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
        return Scored(path.name, float(metrics["threshold"]), scores.read(metrics["test_films"], str(path)), metrics)
    except FileNotFoundError:
        raise TrainingError(f"{path / 'metrics.json'} is missing; run first: python -m training evaluate") from None
    except (KeyError, TypeError, ValueError):
        raise TrainingError(f"{path / 'metrics.json'} holds no test scores; evaluate again") from None


def pair(first: Scored, second: Scored) -> Pairs:
    """The films of both; those whose labels differ between the two are left out and counted.

    Raises:
        TrainingError: the two were tested on different films.
    """
    common = sorted(first.films.keys() & second.films.keys())
    if len(common) < max(len(first.films), len(second.films)):
        raise TrainingError(
            f"{first.name} and {second.name} were tested on different films: {len(common)} in common of {len(first.films)} and "
            f"{len(second.films)}; evaluate both on the same data set"
        )
    same = [digest for digest in common if _labels(first.films[digest][0]) == _labels(second.films[digest][0])]
    if not same:
        raise TrainingError(f"{first.name} and {second.name}: no test film has the same labels in both; evaluate both again")
    ones, twos = (np.array([scored.films[digest][1] for digest in same]) for scored in (first, second))
    return Pairs(
        films=[_known(first.films[digest][0], second.films[digest][0]) for digest in same],
        first=ones,
        second=twos,
        first_flagged=ones >= first.threshold,
        second_flagged=twos >= second.threshold,
        left_out=len(common) - len(same),
    )


def compare(first: Scored, second: Scored) -> dict[str, Any]:
    """Differences first − second: AUC by label source and group, sensitivity and specificity at each one's operating point.

    Raises:
        TrainingError: see :func:`pair`.
    """
    pairs = pair(first, second)
    return {
        "first": first.name,
        "second": second.name,
        "films": len(pairs.films),
        "left_out_for_other_labels": pairs.left_out,
        "auc_interval": resample.area_method([film.patient for film in pairs.films]),
        "auc": {who: {name: sample.auc().as_dict() for name, sample in subgroups(pairs, who)} for who in SOURCES},
        "operating_point": {
            who: {
                "sensitivity": pairs.source(who).sensitivity().as_dict(),
                "specificity": pairs.source(who).specificity().as_dict(),
            }
            for who in SOURCES
        },
    }


def subgroups(pairs: Pairs, who: str, enough: int = ENOUGH) -> Iterator[tuple[str, Sample]]:
    """All films of a label source, then each group that has enough of them."""
    for name, member in groups(pairs.films):
        sample = pairs.source(who, member)
        if name == "all" or len(sample.positive) >= enough:
            yield name, sample


def _labels(film: Film) -> tuple[str, str]:
    return film.text_label, film.radiologist_label


def _known(one: Film, other: Film) -> Film:
    """Bundles made before 1.1 say of a film only its labels; of two rows of a film the one that knows its view says more."""
    return one if one.view or one.pool or one.sex else other
