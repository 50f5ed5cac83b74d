"""The same film twice: exactly, or nearly so (saved again, other grey tones, noise, a scaled copy).

Each film's tensor is reduced to a difference hash of 64 bits (is a block brighter than its left neighbour?); films whose
hashes differ in few bits are compared pixel by pixel. Cuts and shifts of more than about a fiftieth of the side escape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.manifest import Film

BITS = 6
"""Hashes that differ in at most so many bits are looked at: tone, noise and scale change 4 of 64 at most (99 % of films)."""
CORRELATION = 0.98
"""A near-duplicate correlates at least so; two films of one patient in the NIH data reach 0.977."""
_ROWS, _COLUMNS = 8, 9


@dataclass(frozen=True, slots=True)
class Pair:
    """Two films that show the same picture; ``correlation`` 1.0 and ``exact`` where their tensors are equal."""

    first: Film
    second: Film
    correlation: float
    exact: bool

    @property
    def leaks(self) -> bool:
        """Whether the two lie in different ones of train, val, test."""
        return self.first.split != self.second.split and "extra" not in (self.first.split, self.second.split)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        films = [{"file": film.source_name, "split": film.split, "label": film.label} for film in (self.first, self.second)]
        return {"films": films, "correlation": self.correlation, "exact": self.exact, "leaks": self.leaks}


def find(films: Sequence[Film], tensors: NDArray[np.float32]) -> list[Pair]:
    """All pairs of the same picture; ``tensors`` (n, H, W, 1) in the films' order, H and W at least 16."""
    codes, flat = _hashes(tensors), _standardised(tensors)
    found = []
    for number, film in enumerate(films[:-1]):
        near = np.flatnonzero(np.bitwise_count(codes[number + 1 :] ^ codes[number]) <= BITS) + number + 1
        for other in near[flat[near] @ flat[number] >= CORRELATION]:
            exact = bool(np.array_equal(tensors[number], tensors[other]))
            found.append(Pair(film, films[other], min(1.0, float(flat[other] @ flat[number])), exact))
    return found


def check(pairs: Sequence[Pair]) -> None:
    """Refuse a picture that lies in two of train, val, test.

    Raises:
        TrainingError: names the first such pair.
    """
    leaks = [pair for pair in pairs if pair.leaks]
    if leaks:
        first, second = leaks[0].first, leaks[0].second
        raise TrainingError(
            f"{first.source_name} ({first.split}) and {second.source_name} ({second.split}) are the same picture "
            f"(correlation {leaks[0].correlation:.3f}; {len(leaks)} such pairs): the figures would mean nothing; "
            "leave one of the two out, or give both the same patient"
        )


def _hashes(tensors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Difference hashes, (n,)."""
    means = tensors[..., 0].astype(np.float64)
    for axis, parts in ((1, _ROWS), (2, _COLUMNS)):
        edges = np.arange(parts) * means.shape[axis] // parts
        lengths = np.diff(np.append(edges, means.shape[axis]))
        shape = [-1 if own == axis else 1 for own in range(3)]
        means = np.add.reduceat(means, edges, axis) / lengths.reshape(shape)
    bits = (means[:, :, 1:] > means[:, :, :-1]).reshape(len(means), -1)
    codes: NDArray[np.uint64] = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    return codes


def _standardised(tensors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tensors as rows of mean 0 and length 1, so that a product of two is their correlation."""
    flat = tensors.reshape(len(tensors), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0)
    return scaled
