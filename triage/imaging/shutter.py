"""Which pixels a display shutter leaves to be seen; PS3.3 C.7.6.11."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.imaging.elements import clean, numbers, values

Shown = NDArray[np.bool_]

MAX_VERTICES = 4096
"""Vertices of a polygonal shutter beyond which it counts as malformed; real ones have four to some dozens."""
_FARTHEST = 2**31 - 1  # PS3.5 6.2: the range of IS


def shutter(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    """Where the picture shows, (rows, columns), or ``None``: everywhere.

    The shapes are combined so that the least of the image remains (C.7.6.11). A pixel on an edge is not outside and shows.
    A shape that is malformed, or leaves nothing to be seen, is set aside: whoever reads the film must see it. A bitmap
    shutter (C.7.6.15) occurs in presentation states only and is none here.
    """
    named = {(clean(value) or "").upper() for value in values(dataset, "ShutterShape")} & _SHAPES.keys()
    shapes = [shape for name in named if (shape := _SHAPES[name](dataset, rows, columns)) is not None and shape.any()]
    if not shapes:
        return None
    shown: Shown = np.logical_and.reduce(shapes)
    return None if shown.all() or not shown.any() else shown


def rectangular(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    """From edge to edge, both included; rows and columns are counted from 1."""
    edges = [_whole(dataset, f"Shutter{edge}Edge", 1) for edge in _EDGES]
    if not all(edges):
        return None
    (left,), (right,), (upper,), (lower,) = edges
    y, x = _grid(rows, columns)
    return (y >= upper) & (y <= lower) & (x >= left) & (x <= right)


def circular(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    """Around a centre given as row and column; the radius is in pixels along a row, so the circle is one in millimetres."""
    centre, radius = _whole(dataset, "CenterOfCircularShutter", 2), _whole(dataset, "RadiusOfCircularShutter", 1)
    if not centre or not radius or radius[0] <= 0:
        return None
    y, x = _grid(rows, columns)
    result: Shown = ((y - centre[0]) * _aspect(dataset)) ** 2 + (x - centre[1]) ** 2 <= float(radius[0]) ** 2
    return result


def polygonal(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    """Within the polygon of vertices given as row and column, closed from the last to the first."""
    given = _whole(dataset, "VerticesOfThePolygonalShutter", None)
    if len(given) % 2 or not 3 <= len(given) // 2 <= MAX_VERTICES:
        return None
    vertices = np.array(given).reshape(-1, 2) - 1
    crossed = np.zeros((rows, columns + 1), dtype=np.bool_)  # a pixel is inside when the edges left of it are odd in number
    on_edge = np.zeros((rows, columns), dtype=np.bool_)
    for (y0, x0), (y1, x1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if y0 == y1:
            if 0 <= y0 < rows:
                on_edge[int(y0), max(0, int(min(x0, x1))) : max(0, int(max(x0, x1)) + 1)] = True
            continue
        y = np.arange(max(0, int(min(y0, y1))), min(rows, int(max(y0, y1)) + 1))
        x = x0 + (y - y0) * ((x1 - x0) / (y1 - y0))
        column = np.clip(np.ceil(x - _ROUNDING), 0, columns).astype(np.int64)
        touched = (np.abs(x - np.rint(x)) < _ROUNDING) & (x > -0.5) & (x < columns - 0.5)
        on_edge[y[touched], column[touched]] = True
        once = y < max(y0, y1)  # a vertex belongs to the edge below it, so that two edges do not count it twice
        crossed[y[once], column[once]] ^= True
    return np.logical_xor.accumulate(crossed, axis=1)[:, :columns] | on_edge


_EDGES = ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
_SHAPES: dict[str, Callable[[Dataset, int, int], Shown | None]] = {
    "RECTANGULAR": rectangular,
    "CIRCULAR": circular,
    "POLYGONAL": polygonal,
}
_ROUNDING = 1e-6


def _grid(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column numbers, from 1 (C.7.6.11), to be broadcast against each other."""
    return np.arange(1.0, rows + 1)[:, np.newaxis], np.arange(1.0, columns + 1)[np.newaxis, :]


def _whole(dataset: Dataset, keyword: str, count: int | None) -> list[float]:
    """``count`` whole numbers, or as many as there are; none when there are more or fewer, or one is no whole number."""
    given = numbers(dataset, keyword)
    fits = count is None or len(given) == count
    return given if fits and all(value.is_integer() and abs(value) <= _FARTHEST for value in given) else []


def _aspect(dataset: Dataset) -> float:
    """How much higher than wide a pixel is (C.7.6.3.1.7, C.7.6.2.1.1 and C.8.7.10); 1 when the header does not say."""
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"):
        match numbers(dataset, keyword):
            case [height, width] if height > 0 and width > 0:
                return height / width
    return 1.0
