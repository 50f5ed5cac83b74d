"""Films whose truth does not come from the bundle under test: it must tell them apart, and the right way round.

A bundle cannot vouch for itself: whoever trains on swapped labels re-makes digests, golden films and metrics in good faith,
and all of them agree. So the golden films of the *packaged* bundle, with the labels on which radiologist and report agree,
are scored by the candidate, and so are drawn films that are no chest at all.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.domain.errors import BundleError, InferenceError
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import Golden, open_bundle
from triage.inference.evidence import area
from triage.inference.selftest import tensor_of

Tensor = NDArray[np.float32]

LEAST_AREA = 0.6
"""Area under the ROC curve that is asked for: a guard against swapped labels, no measure of quality.

Over 988 sets of eight films drawn from val, the packaged network's own members were never refused and their flipped twins
never accepted. A linear model on radiologists' labels (AUC 0.69) was refused in 12 % of the sets and its twin accepted in 1 %;
a network that radiologists hardly confirm (the paper's, AUC 0.56) in 47 % and 16 %. A higher bar trades one for the other."""
LEAST_SPREAD = 0.01
"""Difference of the largest and the smallest logit below which a network counts as constant: one that learned has 1 to 5."""
LEAST_FILMS = 2
"""Of each kind; with fewer there is no order to speak of."""


def reference_films(packaged: Path) -> tuple[Golden, ...]:
    """The golden films of the packaged bundle.

    Raises:
        BundleError: there is none, or it is refused.
    """
    return open_bundle(packaged).golden


def drawn_films(spec: PreprocessingSpec) -> list[Tensor]:
    """Gradients, a bright disc, fine and coarse noise: tensors (H, W, 1) float32 in 0..1."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0 : 1 : spec.height * 1j, 0 : 1 : spec.width * 1j]
    coarse = rng.random((8, 8))[(y * 7.99).astype(int), (x * 7.99).astype(int)]
    disc = np.hypot(x - 0.5, y - 0.5) < 0.25
    films = (x, 1 - x, y, 1 - y, disc, rng.random(x.shape), coarse)
    return [film.astype(np.float32)[:, :, np.newaxis] for film in films]


def check_not_constant(what: str, logits: Sequence[float]) -> None:
    """The network answers differently to different films.

    Raises:
        BundleError: a logit is no finite number, or all lie within :data:`LEAST_SPREAD`.
    """
    if not all(math.isfinite(logit) for logit in logits):
        raise BundleError(f"{what}: the network gives no finite number")
    spread = max(logits) - min(logits)
    if spread <= LEAST_SPREAD:
        raise BundleError(f"constant output: the logits of {len(logits)} {what} differ by {spread:.1g}; train it anew")


def check_order(films: Sequence[Golden], logits: Sequence[float]) -> int:
    """Known abnormal films rank above known normal ones; returns how many labelled films said so, 0: too few to ask.

    Raises:
        BundleError: the area is below :data:`LEAST_AREA`.
    """
    scored = list(zip(films, logits, strict=True))
    abnormal = [logit for film, logit in scored if film.label == "abnormal"]
    normal = [logit for film, logit in scored if film.label == "normal"]
    if min(len(abnormal), len(normal)) < LEAST_FILMS:
        return 0
    found = area(abnormal, normal)
    if found >= LEAST_AREA:
        return len(abnormal) + len(normal)
    figures = f"(AUC {found:.2f}, at least {LEAST_AREA:.2f} is asked)"
    if found <= 1 - LEAST_AREA:
        below = sum(area([logit], normal) < 0.5 for logit in abnormal)
        raise BundleError(
            f"flipped labels: it calls {below} of {len(abnormal)} known abnormal films less suspicious than known normal ones "
            f"{figures}; check the labels it was trained on"
        )
    raise BundleError(
        f"no order: it cannot tell {len(abnormal)} known abnormal films from {len(normal)} known normal ones {figures}; "
        "train it on more, or on such films"
    )


def logits_of(films: Sequence[Golden], spec: PreprocessingSpec, logit: Callable[[Tensor], float]) -> list[float]:
    """What a network says of reference films, preprocessed as it asks.

    Raises:
        BundleError: the runtime fails, or a film cannot be used.
    """
    try:
        return [logit(tensor_of(film, spec)) for film in films]
    except InferenceError as error:
        raise BundleError(f"reference films: {error}") from error
