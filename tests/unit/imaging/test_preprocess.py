"""However the same film is delivered, the network sees the same tensor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from tests.size import size
from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

SPEC = PreprocessingSpec(height=32, width=24)
SAME = 1e-6


def difference(one, other):
    return float(np.abs(one - other).max())


def test_the_tensor_has_the_shape_type_and_range_of_the_contract(film):
    tensor = preprocess(film(), SPEC)
    assert tensor.shape == (32, 24, 1)
    assert tensor.dtype == np.float32
    assert tensor.min() == 0.0
    assert tensor.max() == 1.0
    assert tensor.flags.c_contiguous


def test_the_same_film_gives_the_same_tensor_to_the_last_bit(film):
    assert np.array_equal(preprocess(film(), SPEC), preprocess(film(), SPEC))


def test_bright_is_bright_and_up_is_up(film):
    pixels = np.zeros((64, 64), dtype=np.uint16)
    pixels[:16, 48:] = 4000
    tensor = preprocess(film(pixels), SPEC)[:, :, 0]
    assert tensor[0, -1] == 1
    assert tensor[-1, 0] == 0
    assert tensor[0, 0] == 0


def test_another_lossless_transfer_syntax_is_the_same_film(film, lossless_syntax):
    assert np.array_equal(preprocess(film(syntax=lossless_syntax), SPEC), preprocess(film(), SPEC))


@pytest.mark.parametrize("window", [None, (2048, 3000)])
@pytest.mark.parametrize("shape", [None, "INVERSE"])
def test_monochrome1_of_inverted_values_is_the_same_film(film, pixels_of_anatomy, window, shape):
    pixels = pixels_of_anatomy(12)
    upright, inverted = film(pixels), film(4095 - pixels, PhotometricInterpretation="MONOCHROME1")
    if window:
        centre, width = window
        upright.WindowCenter, upright.WindowWidth = centre, width
        # the linear window lies half a value below its centre (C.11.2.1.2.1), so its mirror image is one value higher
        inverted.WindowCenter, inverted.WindowWidth = 4095 - centre + 1, width
    if shape:
        inverted.PresentationLUTShape = shape
    assert difference(preprocess(upright, SPEC), preprocess(inverted, SPEC)) <= SAME


@settings(deadline=None, max_examples=50)
@given(st.floats(0.001, 1000), st.floats(-60000, 60000), st.booleans())
def test_a_linear_rescale_is_the_same_film(film, slope, intercept, windowed):
    slope, intercept = float(f"{slope:.6g}"), float(f"{intercept:.6g}")
    plain = film()
    rescaled = film(RescaleSlope=f"{slope:.6g}", RescaleIntercept=f"{intercept:.6g}")
    if windowed:
        for dataset, centre, width in ((plain, 2000.0, 2500.0), (rescaled, 2000 * slope + intercept, 2500 * slope)):
            dataset.WindowCenter, dataset.WindowWidth = f"{centre:.10g}", f"{width:.10g}"
            dataset.VOILUTFunction = "LINEAR_EXACT"
    assert difference(preprocess(plain, SPEC), preprocess(rescaled, SPEC)) <= (1e-5 if windowed else SAME)


def test_stored_values_scaled_and_shifted_are_the_same_film(film, pixels_of_anatomy):
    pixels = pixels_of_anatomy(12)
    scaled = (pixels * 13 + 5000).astype(np.uint16)
    signed = (pixels.astype(np.int32) - 2048).astype(np.int16)
    assert difference(preprocess(film(pixels), SPEC), preprocess(film(scaled, bits=16), SPEC)) <= SAME
    assert difference(preprocess(film(pixels), SPEC), preprocess(film(signed), SPEC)) <= SAME


def test_a_window_as_wide_as_the_film_changes_nothing(film):
    windowed = film(WindowCenter=2048, WindowWidth=4096)
    assert difference(preprocess(film(), SPEC), preprocess(windowed, SPEC)) <= SAME


def test_a_narrow_window_cuts_what_it_cuts(film):
    windowed = preprocess(film(WindowCenter=2048, WindowWidth=400), SPEC)
    assert difference(preprocess(film(), SPEC), windowed) > 0.1
    assert ((windowed == 0) | (windowed == 1)).mean() > 0.2


@pytest.mark.parametrize(("centre", "width"), [(60000, 10), (-5000, 100), (2048, 0), (1e30, 1e30), (2048, 1e9)])
def test_an_absurd_window_is_set_aside(film, centre, width):
    windowed = film(WindowCenter=centre, WindowWidth=width)
    assert difference(preprocess(film(), SPEC), preprocess(windowed, SPEC)) <= SAME


def test_a_window_that_shows_next_to_nothing_is_set_aside(film):
    ramp = np.tile(np.linspace(0, 4095, 400).astype(np.uint16), (50, 1))
    windowed = film(ramp, WindowCenter=9000, WindowWidth=10000)  # from 4,000 up: the last columns, all nearly black
    assert difference(preprocess(film(ramp), SPEC), preprocess(windowed, SPEC)) <= SAME


def test_eight_bits_without_a_window_look_like_twelve_bits_with_one(film, pixels_of_anatomy):
    twelve = pixels_of_anatomy(12)
    eight = film((twelve >> 4).astype(np.uint8), bits=8)
    windowed = film(twelve, WindowCenter=2048, WindowWidth=4096)
    assert difference(preprocess(eight, SPEC), preprocess(windowed, SPEC)) < 0.01


def test_padding_takes_no_part(film, pixels_of_anatomy):
    pixels = pixels_of_anatomy(12, rows=128, columns=96)
    bordered = np.full((128, 192), 4095, dtype=np.uint16)
    bordered[:, :96] = np.minimum(pixels, 4000)
    tensor = preprocess(film(bordered, PixelPaddingValue=4095), PreprocessingSpec(height=32, width=48))
    assert (tensor[:, 24:] == 0).all()
    assert difference(tensor[:, :24], preprocess(film(np.minimum(pixels, 4000)), SPEC)) <= SAME


def test_the_value_that_fills_the_padding_does_not_matter(film, pixels_of_anatomy):
    """Also where the edge of the picture falls within an output pixel."""
    pixels = np.clip(pixels_of_anatomy(12, rows=100, columns=77), 1, 4094)
    tensors = []
    for value in (0, 4095):
        bordered = np.full((100, 131), value, dtype=np.uint16)
        bordered[:, 20:97] = pixels
        tensors.append(preprocess(film(bordered, PixelPaddingValue=value), SPEC))
    assert difference(*tensors) <= SAME


@pytest.mark.parametrize("value", [0, 1, 4095])
@pytest.mark.parametrize("elements", [{}, {"WindowCenter": 2048, "WindowWidth": 4096}, {"RescaleIntercept": "1E9"}])
def test_a_constant_film_is_refused(film, value, elements):
    with pytest.raises(PixelError) as caught:
        preprocess(film(np.full((50, 60), value, dtype=np.uint16), **elements), SPEC)
    assert caught.value.reason is Reason.NUMERIC


def test_a_film_that_is_all_padding_is_refused(film):
    with pytest.raises(PixelError) as caught:
        preprocess(film(PixelPaddingValue=0, PixelPaddingRangeLimit=4095), SPEC)
    assert caught.value.reason is Reason.NUMERIC


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2), (300, 200)])
def test_any_size_of_film_makes_a_tensor_or_a_reason(film, pixels_of_anatomy, size):
    dataset = film(pixels_of_anatomy(12, *size))
    if size == (1, 1):
        with pytest.raises(PixelError):
            preprocess(dataset, SPEC)
    else:
        assert preprocess(dataset, SPEC).shape == (32, 24, 1)


def test_real_films_in_several_lossless_syntaxes_give_one_tensor(real_films):
    expected = preprocess(dcmread(real_films / "tibia_cr_monochrome1_uncompressed.dcm"), SPEC)
    for syntax in ("rle", "jpegls_lossless", "jpeg_lossless"):
        assert np.array_equal(preprocess(dcmread(real_films / f"tibia_cr_monochrome1_{syntax}.dcm"), SPEC), expected)


@pytest.mark.parametrize("name", ["chest_pa_cr_monochrome1_15bit_j2k_lossy.dcm", "chest_pa_cr_jpeg_baseline.dcm"])
def test_lungs_are_darker_than_the_spine_in_real_films_of_either_polarity(real_films, name):
    tensor = preprocess(dcmread(real_films / name), PreprocessingSpec(height=16, width=16))[6:9, :, 0]
    lungs, spine = (tensor[:, 3:5].mean() + tensor[:, 11:13].mean()) / 2, tensor[:, 7:9].mean()
    assert spine - lungs > 0.3


@settings(deadline=None, max_examples=size(120, 300))
@given(
    st.dictionaries(
        st.sampled_from(["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"]),
        st.one_of(st.floats(-1e5, 1e5), st.floats(allow_nan=False, allow_infinity=False)).map(lambda value: f"{value:.8g}"),
    ),
    st.integers(0, 65535),
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_no_header_makes_anything_but_a_tensor_within_range_or_a_reason(film, elements, padding, function):
    try:
        tensor = preprocess(film(**elements, PixelPaddingValue=padding, VOILUTFunction=function), SPEC)
    except PixelError:
        return
    assert np.isfinite(tensor).all()
    assert tensor.min() >= 0
    assert tensor.max() <= 1
