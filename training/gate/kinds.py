"""Kinds of pictures that a gate must tell apart, made from films: a table. Pure: pixels and random generator in, pixels out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.gate import drawn
from triage.domain.opinion import Word

Pixels = NDArray[np.uint8]
"""(rows, columns), air dark and bone light."""
Make = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True, slots=True)
class Kind:
    """``word``: what the gate should say of such a picture. ``make``: from a film; a drawn picture takes only its size."""

    name: str
    word: Word
    make: Make


def inverted(film: Pixels, rng: np.random.Generator) -> Pixels:
    """As if the wrong polarity tag stood in the header."""
    return np.asarray(film.max() - film, dtype=np.uint8)


def tilted(film: Pixels, degrees: float) -> Pixels:
    """Turned by a few degrees about its middle, the edge carried on outwards."""
    turned: Pixels = ndimage.rotate(film, degrees, reshape=False, order=1, mode="nearest")
    return turned


def part(film: Pixels, rows: float, columns: float, place: tuple[float, float]) -> Pixels:
    """The rectangle of these shares of the sides; ``place``: 0 top or left, 1 bottom or right."""
    height, width = (max(2, round(share * side)) for share, side in zip((rows, columns), film.shape, strict=True))
    top, left = (round(at * (side - kept)) for at, side, kept in zip(place, film.shape, (height, width), strict=True))
    return film[top : top + height, left : left + width]


def _crop(side: float, centred: bool) -> Make:
    def make(film: Pixels, rng: np.random.Generator) -> Pixels:
        return part(film, side, side, (0.5, 0.5) if centred else (rng.random(), rng.random()))

    return make


def _draw(picture: Callable[[int, np.random.Generator], NDArray[np.float64]]) -> Make:
    def make(film: Pixels, rng: np.random.Generator) -> Pixels:
        return drawn.pixels(picture(min(256, *film.shape), rng))

    return make


THIRD_OF_AREA = 3**-0.5
"""Share of each side that leaves a third of the area."""

ACCEPTED: tuple[Kind, ...] = (
    Kind("as it is", Word.CHEST, lambda film, rng: film),
    Kind("mirrored left to right", Word.CHEST, lambda film, rng: film[:, ::-1]),
    Kind("tilted by up to 5°", Word.CHEST, lambda film, rng: tilted(film, rng.uniform(-5, 5))),
    Kind("tilted by 15°", Word.CHEST, lambda film, rng: tilted(film, float(rng.choice((-15, 15))))),
    Kind("cut by 5 % a side", Word.CHEST, _crop(0.9, centred=True)),
)
"""Films that should be assessed. A mirrored one looks as a film of situs inversus does: the gate cannot tell."""

REFUSED: tuple[Kind, ...] = (
    Kind("turned by 90°", Word.TURNED, lambda film, rng: np.rot90(film)),
    Kind("turned by 270°", Word.TURNED, lambda film, rng: np.rot90(film, 3)),
    Kind("turned by 180°", Word.UPSIDE_DOWN, lambda film, rng: np.rot90(film, 2)),
    Kind("flipped upside down", Word.UPSIDE_DOWN, lambda film, rng: film[::-1]),
    Kind("inverted", Word.INVERTED, inverted),
    Kind("a third of each side, anywhere", Word.CROPPED, _crop(1 / 3, centred=False)),
    Kind("a third of each side, middle", Word.CROPPED, _crop(1 / 3, centred=True)),
    Kind("a third of the area, anywhere", Word.CROPPED, _crop(THIRD_OF_AREA, centred=False)),
    Kind("a third of the area, middle", Word.CROPPED, _crop(THIRD_OF_AREA, centred=True)),
    Kind("white noise", Word.NOT_A_CHEST, _draw(drawn.white_noise)),
    Kind("smooth noise", Word.NOT_A_CHEST, _draw(drawn.smooth_noise)),
    Kind("1/f noise", Word.NOT_A_CHEST, _draw(drawn.fractal_noise)),
    Kind("page of text", Word.NOT_A_CHEST, _draw(drawn.text_page)),
    Kind("gradient", Word.NOT_A_CHEST, _draw(drawn.gradient)),
    Kind("phantom", Word.NOT_A_CHEST, _draw(drawn.phantom)),
    Kind("limb", Word.NOT_A_CHEST, _draw(drawn.limb)),
)
"""Pictures that must not be assessed."""
