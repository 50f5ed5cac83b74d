"""What a gate learns from: train films and pictures made of them, drawn ones, each with the word that fits."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy import ndimage

from training.gate import drawn
from training.gate.kinds import Pixels, inverted, part, tilted
from triage.domain.opinion import Word

Example = tuple[Pixels, Word]

SMALL = 256
"""Films with shorter sides are not cropped: their pieces would be blurred, and blur would be learned instead of the crop."""


def examples(films: Iterable[Pixels], rng: np.random.Generator) -> Iterator[Example]:
    """Pictures with their words: of each film some of every kind, and drawn ones between."""
    before: Pixels | None = None
    for film in films:
        yield from _of_film(film, film if before is None else before, rng)
        picture = drawn.PICTURES[rng.integers(len(drawn.PICTURES))]
        yield drawn.pixels(picture(128, rng)), Word.NOT_A_CHEST
        picture = drawn.PICTURES[rng.integers(len(drawn.PICTURES))]
        yield drawn.pixels(picture(128, rng)), Word.NOT_A_CHEST
        before = film


def chest(film: Pixels, rng: np.random.Generator) -> Pixels:
    """The film as another room might have made it: a little tilted, cut, framed, brighter; some mirrored."""
    if rng.random() < 0.15:
        film = film[:, ::-1]
    film = tilted(film, float(rng.normal(0, 7)))
    film = part(film, rng.uniform(0.86, 1.0), rng.uniform(0.86, 1.0), (rng.random(), rng.random()))
    if rng.random() < 0.25:
        film = _framed(film, rng)
    return _graded(film, rng)


def _of_film(film: Pixels, other: Pixels, rng: np.random.Generator) -> Iterator[Example]:
    yield film, Word.CHEST
    yield chest(film, rng), Word.CHEST
    yield np.rot90(chest(film, rng), int(rng.choice((1, 3)))), Word.TURNED
    yield tilted(_padded(chest(film, rng)), float(rng.choice((-1, 1))) * rng.uniform(35, 145)), Word.TURNED
    yield np.rot90(chest(film, rng), 2), Word.UPSIDE_DOWN
    yield chest(film, rng)[::-1], Word.UPSIDE_DOWN
    yield inverted(chest(film, rng), rng), Word.INVERTED
    if min(film.shape) < SMALL:
        return
    yield chest(film, rng), Word.CHEST
    for _ in range(4):
        yield _graded(_piece(film, rng), rng), Word.CROPPED
    spoil = SPOILED[rng.integers(len(SPOILED))]
    yield spoil(film, other, rng), Word.NOT_A_CHEST


def _piece(film: Pixels, rng: np.random.Generator) -> Pixels:
    """From 5 to 45 % of the area, anywhere: squares, bands, halves."""
    area = rng.uniform(0.06, 0.42)
    stretch = np.exp(rng.normal(0, 0.25))
    rows, columns = np.clip((np.sqrt(area) * stretch, np.sqrt(area) / stretch), 0.15, 1.0)
    place = (0.5, 0.5) if rng.random() < 0.2 else (rng.random(), rng.random())
    return part(tilted(film, float(rng.normal(0, 4))), rows, columns, place)


def _framed(film: Pixels, rng: np.random.Generator) -> Pixels:
    """Within black or white borders, as collimation leaves them."""
    before = [int(rng.uniform(0, 0.1) * side) for side in film.shape]
    after = [int(rng.uniform(0, 0.1) * side) for side in film.shape]
    value = int(film.max()) if rng.random() < 0.2 else int(film.min())
    return np.pad(film, list(zip(before, after, strict=True)), constant_values=value)


def _graded(film: Pixels, rng: np.random.Generator) -> Pixels:
    """Another exposure: gamma, and clipped ends."""
    low, high = np.percentile(film, (rng.uniform(0, 3), rng.uniform(95, 100)))
    share = np.asarray(np.clip((film - low) / max(high - low, 1), 0, 1), dtype=np.float64)
    return np.round(share ** float(np.exp(rng.normal(0, 0.3))) * 255).astype(np.uint8)


def _padded(film: Pixels) -> Pixels:
    return np.pad(film, film.shape[0] // 8, mode="edge")


def _shuffled(film: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Tiles of the film in another order."""
    tiles = int(rng.integers(2, 6))
    side = min(film.shape) // tiles
    grid = film[: side * tiles, : side * tiles].reshape(tiles, side, tiles, side).swapaxes(1, 2).reshape(-1, side, side)
    return rng.permutation(grid).reshape(tiles, tiles, side, side).swapaxes(1, 2).reshape(side * tiles, side * tiles)


def _scrambled(film: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """The film's spectrum with other phases: its texture without its shapes."""
    phases = np.angle(np.fft.fft2(rng.standard_normal(film.shape)))
    return drawn.pixels(np.real(np.fft.ifft2(np.abs(np.fft.fft2(film)) * np.exp(1j * phases))))


def _two_in_one(film: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Two films side by side, or one above the other."""
    height, width = np.minimum(film.shape, other.shape)
    axis = int(rng.integers(2))
    return np.concatenate([film[:height, :width], other[:height, :width]], axis=axis)


def _far_away(film: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """A small film in a large empty picture."""
    margins = [(int(a * side), int(b * side)) for side, a, b in zip(film.shape, *rng.uniform(0.2, 1.2, (2, 2)), strict=True)]
    return np.pad(film, margins, constant_values=int(rng.choice((film.min(), film.max()))))


def _turned_and_inverted(film: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return inverted(np.rot90(film, int(rng.integers(1, 4))), rng)


def _warped(film: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Sheared and stretched beyond what a chest can be."""
    matrix = np.eye(2) + rng.choice((-1, 1), (2, 2)) * rng.uniform(0.4, 1.0, (2, 2))
    centre = (np.array(film.shape) - 1) / 2
    warped: Pixels = ndimage.affine_transform(film, matrix, centre - matrix @ centre, order=1, mode="nearest")
    return warped


SPOILED: tuple[Callable[[Pixels, Pixels, np.random.Generator], Pixels], ...] = (
    *(_shuffled, _scrambled, _two_in_one, _far_away, _turned_and_inverted, _warped),
)
"""From which the gate learns what is no chest although it is made of one."""
