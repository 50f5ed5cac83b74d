"""Which label a film is trained with, and how much it counts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from training.manifest import VIEWS, Film
from training.recipe import Labels

Opinions = NDArray[np.float64]
"""What a network said of each film without having learned from it, as logits (n,); see :mod:`training.opinion`."""


def labels(films: Sequence[Film], recipe: Labels, opinions: Opinions | None = None) -> NDArray[np.float32]:
    """What the network is to say of each film, 1 for *abnormal*, (n,); between 0 and 1 where softened."""
    own = np.array([_label(film, recipe) == "abnormal" for film in films], dtype=np.float32)
    if not recipe.soften:
        return own
    seen = np.array([bool(film.radiologist_label) for film in films])
    softened: NDArray[np.float32] = np.where(seen, own, _expected(films, seen, opinions)).astype(np.float32)
    return softened


def weights(films: Sequence[Film], recipe: Labels, opinions: Opinions | None = None) -> NDArray[np.float32]:
    """Relative weight of each film, mean 1, (n,): by who gave the label, then balanced over the cells of view × label."""
    raw = np.array([_source_weight(film, recipe) for film in films])
    abnormal = labels(films, recipe, opinions) > 0.5
    for view in VIEWS:
        of_view = np.array([film.view == view for film in films])
        for cell in (of_view & abnormal, of_view & ~abnormal):
            if raw[cell].sum() > 0:
                raw[cell] /= raw[cell].sum() ** recipe.balance
    scaled: NDArray[np.float32] = (raw / raw.mean()).astype(np.float32)
    return scaled


def _label(film: Film, recipe: Labels) -> str:
    return film.label if recipe.prefer_radiologist else film.text_label


def _source_weight(film: Film, recipe: Labels) -> float:
    if not recipe.prefer_radiologist:
        return recipe.text
    if film.radiologist_label:
        return recipe.radiologist
    return recipe.text if film.peer_probability is None else recipe.peer


def _expected(films: Sequence[Film], seen: NDArray[np.bool_], opinions: Opinions | None) -> NDArray[np.float64]:
    """How probably a radiologist would call each film abnormal, given its text label, view, peer's score and the opinions.

    Learned on the films of the same split that a radiologist did label: a model of the label noise. Of the pixels it knows
    what the opinions say, nothing else.
    """
    evidence = np.array([_evidence(film) for film in films])
    if opinions is not None:
        evidence = np.column_stack([evidence, opinions])
    truth = np.array([film.radiologist_label == "abnormal" for film in films])
    if len(set(truth[seen])) < 2:
        return evidence[:, 0]
    model = LogisticRegression(C=1.0).fit(evidence[seen], truth[seen])
    expected: NDArray[np.float64] = model.predict_proba(evidence)[:, 1]
    return expected


def _evidence(film: Film) -> list[float]:
    text, view, peer = film.text_label == "abnormal", film.view == "AP", film.peer_probability
    score = 0.0 if peer is None else float(np.log(np.clip(peer, 0.01, 0.99) / (1 - np.clip(peer, 0.01, 0.99))))
    return [float(text), float(view), float(text and view), float(peer is None), float(text and peer is None), score]
