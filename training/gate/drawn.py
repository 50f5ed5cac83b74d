"""Pictures that are no chest, made by arithmetic: noise, text, phantoms, limbs. Pure: size and random generator in, grey out.

Each function gives (size, size) float64 on a scale of its own; :func:`pixels` brings it to grey values.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.float64]


def pixels(picture: Grey) -> NDArray[np.uint8]:
    """Grey values 0..255 of a picture on any scale; a constant one becomes 0."""
    low, high = float(picture.min()), float(picture.max())
    return np.round((picture - low) / max(high - low, 1e-9) * 255).astype(np.uint8)


def white_noise(size: int, rng: np.random.Generator) -> Grey:
    """Each pixel by itself."""
    return rng.random((size, size))


def smooth_noise(size: int, rng: np.random.Generator) -> Grey:
    """Blots of 2 to 25 % of the side."""
    blots = ndimage.gaussian_filter(rng.standard_normal((size, size)), size * rng.uniform(0.02, 0.25), mode="wrap")
    return np.asarray(blots, dtype=np.float64)


def fractal_noise(size: int, rng: np.random.Generator) -> Grey:
    """Amplitude falling as 1/f to 1/f²: natural pictures and films have such a spectrum."""
    y, x = np.fft.fftfreq(size)[:, np.newaxis], np.fft.fftfreq(size)
    frequency = np.maximum(np.hypot(x, y), 1 / size)
    spectrum = np.fft.fft2(rng.standard_normal((size, size))) / frequency ** rng.uniform(1.0, 2.0)
    return np.real(np.fft.ifft2(spectrum))


def gradient(size: int, rng: np.random.Generator) -> Grey:
    """Straight or round, in any direction."""
    y, x = _plane(size)
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        return _graded(x * np.cos(angle) + y * np.sin(angle), rng)
    return _graded(np.hypot(x - rng.uniform(-1, 1), y - rng.uniform(-1, 1)) * rng.choice((-1, 1)), rng)


def phantom(size: int, rng: np.random.Generator) -> Grey:
    """Discs, rings, bars, steps and grids on an even ground, as test objects have them."""
    y, x = _plane(size)
    picture = np.full((size, size), rng.random())
    for _ in range(rng.integers(1, 7)):
        picture = np.where(_shape(x, y, rng), rng.random(), picture)
    return np.asarray(picture + rng.uniform(0, 0.05) * rng.standard_normal(picture.shape), dtype=np.float64)


def text_page(size: int, rng: np.random.Generator) -> Grey:
    """Lines of small made-up letters, dark on light or light on dark, sometimes with a heading, columns or a frame."""
    page = np.zeros((size, size))
    height = int(rng.integers(3, max(5, size // 12)))
    top, margin = int(rng.uniform(0.02, 0.3) * size), int(rng.uniform(0.02, 0.2) * size)
    bottom = int(rng.uniform(0.5, 1.0) * size)
    for row in range(top, bottom - height, int(height * rng.uniform(1.3, 2.5)) + 1):
        _line_of_text(page, row, height, margin, int(size - margin - rng.random() ** 3 * size * 0.7), rng)
    if rng.random() < 0.3:
        edge = int(rng.integers(1, 4))
        page[:edge] = page[-edge:] = page[:, :edge] = page[:, -edge:] = 1
    page = np.asarray(ndimage.gaussian_filter(page, rng.uniform(0, 0.8)), dtype=np.float64)
    return page if rng.random() < 0.5 else 1 - page


def limb(size: int, rng: np.random.Generator) -> Grey:
    """One to five soft tubes with bones in them, side by side or in a fan: arm, leg, hand, foot."""
    y, x = _plane(size)
    picture = np.zeros((size, size))
    count = int(rng.choice((1, 1, 2, 3, 5)))
    lean, fan, bend = rng.normal(0, 0.5), rng.uniform(0, 0.4), rng.normal(0, 0.2)
    for number in range(count):
        place = (number - (count - 1) / 2) * rng.uniform(0.25, 1.4) / max(count - 1, 1) + rng.normal(0, 0.15)
        across = x - place - (lean + fan * place * 3) * y - bend * y**2
        flesh = rng.uniform(0.25, 0.9) / count**0.7
        picture = np.maximum(picture, 0.35 * _tube(across, flesh))
        for offset in rng.uniform(-0.5, 0.5, rng.integers(1, 3)) * flesh:
            width = flesh * rng.uniform(0.15, 0.45) * (1 + rng.uniform(0, 0.8) * np.abs(y) ** 3)
            picture = np.maximum(picture, _bone(across - offset, width))
    if rng.random() < 0.4:  # a joint: a gap in the bones
        picture = picture * (1 - 0.6 * np.exp(-(((y - rng.uniform(-0.5, 0.5)) / 0.03) ** 2)))
    return _finished(picture, rng)


def trunk(size: int, rng: np.random.Generator) -> Grey:
    """A bright body with a column of vertebrae, straight or curved, from the front or the side: spine, abdomen, neck."""
    y, x = _plane(size)
    across = x - rng.uniform(-0.4, 0.4) - rng.normal(0, 0.2) * np.sin(rng.uniform(0.5, 3) * y + rng.uniform(0, 6))
    body = _tube(x - rng.normal(0, 0.1), rng.uniform(0.5, 1.3) * (1 + rng.normal(0, 0.3) * y))
    width, count = rng.uniform(0.08, 0.35), rng.uniform(6, 20)
    blocks = (np.abs(across) < width) * (0.75 + 0.25 * np.sign(np.sin(count * (y + rng.normal(0, 0.3) * across))))
    return _finished(0.5 * body + rng.uniform(0.2, 0.6) * ndimage.gaussian_filter(blocks, size / 100), rng)


def skull(size: int, rng: np.random.Generator) -> Grey:
    """A bright oval with a rim, a jaw or pelvis of arcs: head, pelvis, joint heads."""
    y, x = _plane(size)
    picture = np.zeros((size, size))
    for _ in range(rng.integers(1, 4)):
        at_y, at_x = rng.uniform(-0.6, 0.6, 2)
        radius = np.hypot((x - at_x) / rng.uniform(0.3, 1.0), (y - at_y) / rng.uniform(0.3, 1.0))
        rim = np.exp(-(((radius - 1) / rng.uniform(0.03, 0.15)) ** 2))
        picture = np.maximum(picture, rng.uniform(0.3, 0.7) * (radius < 1) + rng.uniform(0.2, 0.6) * rim)
    return _finished(picture, rng)


PICTURES: tuple[Callable[[int, np.random.Generator], Grey], ...] = (
    *(white_noise, smooth_noise, fractal_noise, gradient),
    *(phantom, text_page, limb, trunk, skull),
)
"""From which the gate learns what is no chest."""


def _plane(size: int) -> tuple[Grey, Grey]:
    """Rows and columns from -1 to 1."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return y, x


def _graded(values: Grey, rng: np.random.Generator) -> Grey:
    low, high = float(values.min()), float(values.max())
    return ((values - low) / (high - low)) ** float(np.exp(rng.uniform(-1, 1)))


def _shape(x: Grey, y: Grey, rng: np.random.Generator) -> NDArray[np.bool_]:
    at_x, at_y, wide, high = *rng.uniform(-0.7, 0.7, 2), *rng.uniform(0.1, 1.0, 2)
    radius = np.hypot((x - at_x) / wide, (y - at_y) / high)
    period, angle = rng.uniform(2, 40), rng.uniform(0, np.pi)
    stripes = np.sin(period * (x * np.cos(angle) + y * np.sin(angle))) > 0
    box = (np.abs(x - at_x) < wide) & (np.abs(y - at_y) < high)
    choices: tuple[Any, ...] = (radius < 1, np.abs(radius - 1) < 0.1, box, box & stripes, stripes ^ (np.sin(period * y) > 0))
    return np.asarray(choices[rng.integers(len(choices))], dtype=np.bool_)


def _line_of_text(page: Grey, row: int, height: int, left: int, right: int, rng: np.random.Generator) -> None:
    column = left
    while column < right - height:
        letter = ndimage.zoom((rng.random((5, 4)) < 0.5).astype(float), (height / 5, max(height * 0.6, 2) / 4), order=0)
        rows, columns = page[row : row + letter.shape[0], column : column + letter.shape[1]].shape
        page[row : row + rows, column : column + columns] = letter[:rows, :columns]
        column += letter.shape[1] + 1 + (height if rng.random() < 0.18 else 0)


def _tube(across: Grey, width: Any) -> Grey:
    """How thick a round tube is along the ray."""
    return np.asarray(np.sqrt(np.clip(1 - (across / width) ** 2, 0, None)), dtype=np.float64)


def _bone(across: Grey, width: Any) -> Grey:
    """A tube with a dense wall."""
    return np.where(np.abs(across) < width, 0.5 + 0.5 * np.abs(across / width) ** 3, 0.0)


def _finished(picture: Grey, rng: np.random.Generator) -> Grey:
    """Turned any way, blurred a little, with texture and another contrast, as a detector might give it."""
    turned = np.rot90(picture, int(rng.integers(4))) if rng.random() < 0.3 else picture
    size = turned.shape[0]
    blurred = ndimage.gaussian_filter(turned, size * rng.uniform(0.002, 0.012))
    texture = rng.uniform(0, 0.15) * ndimage.gaussian_filter(rng.standard_normal(turned.shape), size * 0.02) * size * 0.05
    finished: Grey = np.clip(blurred + texture, 0, None) ** float(np.exp(rng.uniform(-0.7, 0.4)))
    return finished
