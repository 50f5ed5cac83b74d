"""A gate must let known films pass and keep them back once turned or inverted: asked at every load, of golden films.

A gate that lets everything pass, nothing, or takes one word for another is refused with its bundle: digests, shapes and
pedigree of such a one can all be right.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from triage.domain.errors import AssessmentError, BundleError
from triage.domain.opinion import Word
from triage.inference.gate import Gate

Tensor = NDArray[np.float32]

SPOILED: tuple[tuple[str, Word, Callable[[Tensor], Tensor]], ...] = (
    ("turned by 90°", Word.TURNED, lambda film: np.rot90(film)),
    ("turned by 270°", Word.TURNED, lambda film: np.rot90(film, 3)),
    ("turned by 180°", Word.UPSIDE_DOWN, lambda film: np.rot90(film, 2)),
    ("flipped upside down", Word.UPSIDE_DOWN, lambda film: film[::-1]),
    ("inverted", Word.INVERTED, lambda film: np.subtract(1, film, dtype=np.float32)),
)
"""Name, what the gate should say, how the tensor (H, W, 1) of a film is spoiled."""
REFUSED, SAME_WORD, ACCEPTED = 0.9, 0.5, 0.75
"""Shares asked for: of spoiled films that are refused, and of each kind that are called what they are; of reference films of
another bundle that pass. A bundle's own golden films must all pass."""


def check_gate(gate: Gate, what: str, films: Sequence[Tensor], accepted: float = 1.0) -> int:
    """Ask the gate of ``films`` (tensors that are frontal chest films) as they are and spoiled; returns of how many pictures.

    Raises:
        BundleError: fewer than the share ``accepted`` of the films pass, spoiled ones pass, or it calls them something else.
    """
    words = [_word(gate, film) for film in films]
    passed = words.count(Word.CHEST)
    if passed < accepted * len(films):
        raise BundleError(f"image gate: refuses {len(films) - passed} of {len(films)} {what}; fit it again")
    let_through = 0
    for name, word, spoil in SPOILED:
        said = [_word(gate, np.ascontiguousarray(spoil(film))) for film in films]
        let_through += said.count(Word.CHEST)
        if said.count(word) < SAME_WORD * len(films):
            raise BundleError(f"image gate: calls {said.count(word)} of {len(films)} {what} {name} {word.code!r}; fit it again")
    pictures = len(SPOILED) * len(films)
    if let_through > (1 - REFUSED) * pictures:
        raise BundleError(f"image gate: lets {let_through} of {pictures} turned or inverted {what} pass; fit it again")
    return pictures + len(films)


def check_drawn(gate: Gate, pictures: Sequence[Tensor]) -> None:
    """Gradients, discs and noise must not pass.

    Raises:
        BundleError: one passes.
    """
    passed = sum(_word(gate, picture) is Word.CHEST for picture in pictures)
    if passed:
        raise BundleError(f"image gate: lets {passed} of {len(pictures)} drawn pictures pass; fit it again")


def _word(gate: Gate, tensor: Tensor) -> Word:
    try:
        return gate.opinion(tensor).word
    except AssessmentError as error:
        raise BundleError(f"image gate: {error}") from error
