"""What a display shutter leaves to be seen, against the words of PS3.3 C.7.6.11."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tests.unit.imaging.conftest import make_film
from triage.imaging.preview import frame, preview, shades
from triage.imaging.shutter import MAX_VERTICES, shutter

RECTANGLE = {
    "ShutterShape": "RECTANGULAR",
    "ShutterLeftVerticalEdge": 3,
    "ShutterRightVerticalEdge": 6,
    "ShutterUpperHorizontalEdge": 2,
    "ShutterLowerHorizontalEdge": 4,
}
CIRCLE = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [4, 5], "RadiusOfCircularShutter": 2}
TRIANGLE = {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 7, 7, 1]}


def data_set(**elements):
    dataset = Dataset()
    for keyword, value in elements.items():  # as devices write them, not as the standard wants them
        text = any(isinstance(number, str) for number in (value if isinstance(value, list) else [value]))
        vr = "CS" if keyword == "ShutterShape" else "LO" if text else "DS" if "Spacing" in keyword else "IS"
        dataset.add(DataElement(keyword, vr, value, validation_mode=config.IGNORE))
    return dataset


def drawn(shown):
    return ["".join("·#"[int(pixel)] for pixel in row) for row in shown]


def test_a_rectangle_shows_its_edges_counted_from_1():
    assert drawn(shutter(data_set(**RECTANGLE), 5, 8)) == ["········", "··####··", "··####··", "··####··", "········"]


def test_a_circle_has_its_radius_along_the_row():
    round_ = shutter(data_set(**CIRCLE), 7, 9)
    assert drawn(round_) == ["·········", "····#····", "···###···", "··#####··", "···###···", "····#····", "·········"]
    # pixels twice as high as wide: the circle is one in millimetres, so it covers half as many rows
    for spacing in ({"PixelSpacing": [0.2, 0.1]}, {"ImagerPixelSpacing": [0.2, 0.1]}, {"PixelAspectRatio": [2, 1]}):
        assert drawn(shutter(data_set(**CIRCLE, **spacing), 7, 9))[2:5] == ["····#····", "··#####··", "····#····"]
    assert np.array_equal(shutter(data_set(**CIRCLE, PixelSpacing=[0, -1]), 7, 9), round_)


def test_a_polygon_is_closed_and_shows_its_edges():
    assert drawn(shutter(data_set(**TRIANGLE), 7, 8)) == [
        "#######·", "######··", "#####···", "####····", "###·····", "##······", "#·······",
    ]  # fmt: skip


def test_several_shapes_leave_the_least_to_be_seen():
    alone = [shutter(data_set(**shape), 7, 9) for shape in (RECTANGLE, CIRCLE, TRIANGLE)]
    together = data_set(**RECTANGLE | CIRCLE | TRIANGLE | {"ShutterShape": ["CIRCULAR", "RECTANGULAR", "POLYGONAL"]})
    assert np.array_equal(shutter(together, 7, 9), np.logical_and.reduce(alone))


@pytest.mark.parametrize(
    "changes",
    [
        {"ShutterShape": None},
        {"ShutterShape": "BITMAP"},
        {"ShutterShape": "TRAPEZOID"},
        {"ShutterLeftVerticalEdge": None},
        {"ShutterLeftVerticalEdge": ""},
        {"ShutterLeftVerticalEdge": "abc"},
        {"ShutterLeftVerticalEdge": "NaN"},
        {"ShutterLeftVerticalEdge": "1E99"},
        {"ShutterLeftVerticalEdge": [1, 2]},
        {"ShutterLeftVerticalEdge": 7},  # right of the right edge
        {"ShutterLeftVerticalEdge": 900, "ShutterRightVerticalEdge": 901},  # outside the film
        CIRCLE | {"RadiusOfCircularShutter": 99},  # all of the film
        CIRCLE | {"RadiusOfCircularShutter": 0},
        CIRCLE | {"RadiusOfCircularShutter": -4},
        CIRCLE | {"RadiusOfCircularShutter": "1E308"},
        CIRCLE | {"CenterOfCircularShutter": [4]},
        CIRCLE | {"CenterOfCircularShutter": [-400, -400]},
        TRIANGLE | {"VerticesOfThePolygonalShutter": [1, 1, 5, 5]},
        TRIANGLE | {"VerticesOfThePolygonalShutter": [1, 1, 5, 5, 9]},
        TRIANGLE | {"VerticesOfThePolygonalShutter": [1, 1, 1, "x", 5, 5]},
        TRIANGLE | {"VerticesOfThePolygonalShutter": [1, 2] * (MAX_VERTICES + 1)},
    ],
)  # fmt: skip
def test_a_malformed_shutter_hides_nothing(changes):
    elements = {keyword: value for keyword, value in (RECTANGLE | changes).items() if value is not None}
    assert shutter(data_set(**elements), 5, 8) is None


def test_a_malformed_shape_leaves_the_others():
    both = data_set(**RECTANGLE | {"ShutterShape": ["RECTANGULAR", "CIRCULAR"], "RadiusOfCircularShutter": "wide"})
    assert np.array_equal(shutter(both, 5, 8), shutter(data_set(**RECTANGLE), 5, 8))


def inside(row, column, vertices):
    """Whether a pixel's centre lies within a polygon or on its edge, in whole numbers."""
    odd = False
    for (y0, x0), (y1, x1) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
        side = (column - x0) * (y1 - y0) - (row - y0) * (x1 - x0)
        if side == 0 and min(y0, y1) <= row <= max(y0, y1) and min(x0, x1) <= column <= max(x0, x1):
            return True
        if (y0 > row) != (y1 > row) and (side < 0) == (y1 < y0):
            odd = not odd
    return odd


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-6, 22), st.integers(-6, 22)), min_size=3, max_size=7),
    st.integers(1, 16),
    st.integers(1, 16),
)
def test_any_polygon_is_the_one_worked_out_pixel_by_pixel(vertices, rows, columns):
    wanted = np.array([[inside(row, column, vertices) for column in range(1, columns + 1)] for row in range(1, rows + 1)])
    shown = shutter(
        data_set(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[number for pair in vertices for number in pair]),
        rows, columns,
    )  # fmt: skip
    if shown is None:
        assert wanted.all() or not wanted.any()
    else:
        assert np.array_equal(shown, wanted)


def test_what_a_shutter_hides_is_no_picture():
    bare = make_film()
    covered = make_film(
        ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge=11, ShutterRightVerticalEdge=90, ShutterUpperHorizontalEdge=1,
        ShutterLowerHorizontalEdge=120,
    )  # fmt: skip
    for view in (preview, frame):
        film, whole = view(covered), view(bare)
        assert not film.values[:, :10].any()
        assert not film.values[:, 90:].any()
        assert film.values[:, 10:90].all()
        assert not shades(film)[:, :10].any()
        seen = film.intercept + film.slope * film.values[:, 10:90].astype(float)
        wanted = whole.intercept + whole.slope * whole.values[:, 10:90].astype(float)
        assert np.abs(seen - wanted).max() <= whole.slope


@pytest.mark.parametrize("signed", [False, True])
def test_what_lies_under_a_shutter_does_not_matter(signed):
    """Not for the window, not for the averages at its edge, also where every stored value is taken."""
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 1 << 16, (2100, 31)).astype(np.uint16).view(np.int16 if signed else np.uint16)
    hidden = np.ones(pixels.shape, dtype=bool)
    hidden[100:1501, 5:20] = False
    other = np.where(hidden, np.iinfo(pixels.dtype).max, pixels)
    elements = {
        "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 6, "ShutterRightVerticalEdge": 20,
        "ShutterUpperHorizontalEdge": 101, "ShutterLowerHorizontalEdge": 1501,
    }  # fmt: skip
    for view in (preview, frame):
        one, two = (view(make_film(film, bits=16, **elements)) for film in (pixels, other))
        assert np.array_equal(one.values, two.values)
        assert (one.low, one.high) == (two.low, two.high)
