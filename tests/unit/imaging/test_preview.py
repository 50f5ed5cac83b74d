"""The preview shows the film as its header wants it shown, and gives back its values."""

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.unit.imaging.conftest import LOSSLESS, anatomy, make_film
from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale
from triage.imaging import preview as module
from triage.imaging.codecs import decode_frame
from triage.imaging.preprocess import indexed
from triage.imaging.preview import frame, png, preview, shades


def shown(dataset: Dataset) -> np.ndarray:
    """What PS3.3 says is seen, 0..1, without making anything small."""
    index, stored = indexed(decode_frame(dataset))
    interest = grayscale.voi(grayscale.modality(stored, dataset), dataset)
    assert interest is not None
    return (1 - interest if grayscale.is_inverted(dataset) else interest)[index]


def table_of(entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(entries), 0, 16], [int(entry) for entry in entries]
    return item


WINDOWS = {
    "linear": {"WindowCenter": 2000, "WindowWidth": 1800},
    "linear exact": {"WindowCenter": 2000, "WindowWidth": 1800, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
    "threshold": {"WindowCenter": 2000.25, "WindowWidth": 1},
    "table": {"VOILUTSequence": Sequence([table_of(np.linspace(0, 1, 4096) ** 2 * 65535)])},
    "rescaled": {"RescaleSlope": 0.5, "RescaleIntercept": -300, "WindowCenter": 700, "WindowWidth": 900},
}


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_small_film_is_shown_as_the_standard_says(window: str, inverted: bool) -> None:
    dataset = make_film(**WINDOWS[window])
    if inverted:
        dataset.PhotometricInterpretation = "MONOCHROME1"
    seen = shades(preview(dataset)).astype(float)
    assert np.abs(seen - 255 * shown(dataset)).max() <= 1


def test_values_are_modality_values() -> None:
    dataset = make_film(RescaleSlope=2, RescaleIntercept=-1000)
    film = preview(dataset)
    wanted = anatomy().astype(float) * 2 - 1000
    assert np.abs(film.intercept + film.slope * film.values - wanted).max() <= film.slope


@pytest.mark.parametrize(
    ("rows", "columns", "size"), [(2048, 1024, (1024, 512)), (100, 1500, (68, 1024)), (3, 1025, (3, 1024)), (40, 30, (40, 30))]
)
def test_a_film_is_made_small_in_proportion_and_never_enlarged(rows: int, columns: int, size: tuple[int, int]) -> None:
    film = preview(make_film(anatomy(12, rows, columns)))
    assert film.values.shape == size
    assert (film.rows, film.columns) == (rows, columns)


def test_what_is_made_small_keeps_its_mean() -> None:
    pixels = anatomy(12, 2048, 1024)
    film = preview(make_film(pixels))
    assert abs((film.intercept + film.slope * film.values).mean() - pixels.mean()) < 0.1


def test_monochrome1_of_inverted_values_looks_the_same() -> None:
    pixels = anatomy()
    upright = make_film(pixels, WindowCenter=2048, WindowWidth=3000)
    inverted = make_film(4095 - pixels, PhotometricInterpretation="MONOCHROME1", WindowCenter=2048, WindowWidth=3000)
    inverted.PresentationLUTShape = "INVERSE"
    one, other = shades(preview(upright)).astype(int), shades(preview(inverted)).astype(int)
    assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_another_lossless_transfer_syntax_is_the_same_film(syntax: str) -> None:
    assert np.array_equal(preview(make_film(syntax=syntax)).values, preview(make_film()).values)


@pytest.mark.parametrize("signed", [False, True])
def test_padding_is_zero_and_black_whatever_the_polarity(signed: bool) -> None:
    pixels = anatomy().astype(np.int16) - (2000 if signed else 0)
    if not signed:
        pixels = pixels.astype(np.uint16)
    pixels[:40] = -2000 if signed else 0
    pixels[40:] = np.maximum(pixels[40:], pixels[0, 0] + 1)
    film = preview(make_film(pixels, PixelPaddingValue=int(pixels[0, 0]), PhotometricInterpretation="MONOCHROME1"))
    assert not film.values[:40].any()
    assert film.values[40:].all()
    assert not shades(film)[:40].any()


@pytest.mark.parametrize(
    "window", [{}, {"WindowCenter": 90000, "WindowWidth": 10}, {"WindowCenter": 2000, "WindowWidth": 10**7}, {"WindowWidth": 0}]
)
def test_without_a_useful_window_the_percentiles_are_shown(window: dict[str, int]) -> None:
    film = preview(make_film(**window))
    seen = shades(film)
    assert (seen == 0).mean() < 0.02
    assert (seen == 255).mean() < 0.02


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PixelData": b""}, Reason.CANNOT_DECODE),
        ({"PixelData": None}, Reason.NO_IMAGE),
        ({"RescaleSlope": 0}, Reason.NUMERIC),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095}, Reason.NUMERIC),
        ({"NumberOfFrames": 2}, Reason.MULTI_FRAME),
        ({"PhotometricInterpretation": "RGB"}, Reason.NOT_GRAYSCALE),
    ],
)
def test_a_film_that_cannot_be_shown_says_why(changes: dict[str, object], reason: Reason) -> None:
    with pytest.raises(PixelError) as caught:
        preview(make_film(**changes))
    assert caught.value.reason is reason


def test_a_film_of_one_value_says_so() -> None:
    with pytest.raises(PixelError) as caught:
        preview(make_film(np.full((8, 8), 700, np.uint16)))
    assert caught.value.reason is Reason.NUMERIC


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    dataset = make_film(Rows=module.MAX_PIXELS // 1000 + 1, Columns=1000)
    with pytest.raises(PixelError, match="more pixels than a preview"):
        preview(dataset)


def test_the_picture_is_what_is_seen() -> None:
    film = preview(make_film(WindowCenter=2000, WindowWidth=1800))
    assert np.array_equal(imagecodecs.png_decode(png(film)), shades(film))


numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0, 1e-9, 1e300])


@settings(max_examples=60, deadline=None)
@given(slope=numbers, intercept=numbers, centre=numbers, width=numbers, monochrome1=st.booleans(), seed=st.integers(0, 99))
def test_any_numbers_give_a_picture_or_a_reason(
    slope: float, intercept: float, centre: float, width: float, monochrome1: bool, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 4096, (9, 7)).astype(np.uint16)
    written = {"RescaleSlope": slope, "RescaleIntercept": intercept, "WindowCenter": centre, "WindowWidth": width}
    dataset = make_film(pixels, **{name: f"{value:.9g}"[:16] for name, value in written.items()})
    if monochrome1:
        dataset.PhotometricInterpretation = "MONOCHROME1"
    try:
        film = preview(dataset)
    except PixelError as error:
        assert error.reason is Reason.NUMERIC  # noqa: PT017 - a reason is as good as a picture
        return
    assert film.values.min() >= 1
    assert np.isfinite([film.slope, film.intercept, film.low, film.high]).all()
    assert film.low <= film.high
    assert shades(film).shape == (9, 7)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
def test_the_frame_of_a_small_film_is_its_preview(signed: bool, inverted: bool) -> None:
    pixels = np.random.default_rng(3).integers(-900 if signed else 0, 3000, (40, 30))
    dataset = make_film(pixels.astype(np.int16 if signed else np.uint16))
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    small, whole = preview(dataset), frame(dataset)
    assert (small.values == whole.values).all()
    assert (small.low, small.high, small.inverted) == (whole.low, whole.high, whole.inverted)


def test_a_frame_has_every_pixel_under_the_window_of_the_preview() -> None:
    pixels = np.random.default_rng(4).integers(0, 4096, (1500, 1100)).astype(np.uint16)
    dataset = make_film(pixels)
    dataset.PixelPaddingValue = int(pixels[7, 9])
    small, whole = preview(dataset), frame(dataset)
    assert whole.values.shape == pixels.shape
    seen = whole.values > 0
    assert (seen == (pixels != pixels[7, 9])).all()
    assert np.rint(whole.intercept + whole.slope * whole.values.astype(float))[seen].tolist() == pixels[seen].tolist()
    assert (whole.low, whole.high, whole.rows, whole.columns) == (small.low, small.high, 1500, 1100)


def test_a_frame_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 99)
    with pytest.raises(PixelError):
        frame(make_film(anatomy(10, 10)))
