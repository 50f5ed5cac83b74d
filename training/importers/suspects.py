"""Films that look wrong beside the others of their set: inverted, or turned by a quarter or half turn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEWEST = 20
"""With fewer films their mean shows no typical chest, and nobody is suspected."""
MARGIN = 0.1
"""By so much more a film must resemble the mean when inverted or turned than as it is.

Of 240 NIH films inverted or turned on purpose 97 to 100 % are suspected; of all 2,424 as they are 7, two truly inverted.
"""


def suspects(names: Sequence[str], tensors: NDArray[np.float32]) -> list[tuple[str, str]]:
    """Names with what is suspected of them; ``tensors`` (n, H, H, 1). They are reported, not left out.

    A film is suspected when it resembles the mean of all films more once inverted or turned. When the mean itself has
    upper corners (air beside the neck) brighter than its centre, the whole set is suspected.
    """
    if len(names) < FEWEST:
        return []
    mean, found = tensors[..., 0].mean(axis=0, dtype=np.float64), []
    side = mean.shape[0] // 8
    corners = np.concatenate([mean[:side, :side], mean[:side, -side:]])
    if corners.mean() > mean[2 * side : -2 * side, 2 * side : -2 * side].mean():
        found.append(("all films", "inverted? corners brighter than the centre"))
    for name, film in zip(names, tensors[..., 0], strict=True):
        upright, *turned = (_correlation(np.rot90(film.astype(np.float64), quarters), mean) for quarters in range(4))
        guesses = {f"turned by {90 * number}°?": likeness for number, likeness in enumerate(turned, start=1)}
        guesses["inverted?"] = -upright
        guess = max(guesses, key=lambda name: guesses[name])
        if guesses[guess] > max(upright, 0) + MARGIN:
            found.append((name, guess))
    return found


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale else 0.0
