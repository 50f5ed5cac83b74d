"""Grey-scale transforms against the formulas and examples of PS3.3 C.11."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale


def data_set(**elements):
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def table(descriptor, data):
    item = Dataset()
    item.add_new(0x00283002, "US", descriptor)
    item.add_new(0x00283006, "OW" if isinstance(data, bytes) else "US", data)
    return item


def by_the_standard(x, centre, width, low=0.0, high=1.0):
    """The pseudo-code of PS3.3 C.11.2.1.2.1, value by value."""
    if x <= centre - 0.5 - (width - 1) / 2:
        return low
    if x > centre - 0.5 + (width - 1) / 2:
        return high
    return ((x - (centre - 0.5)) / (width - 1) + 0.5) * (high - low) + low


@pytest.mark.parametrize(("centre", "width"), [(2048, 4096), (2048, 1), (0, 100), (0, 1), (600.5, 333.3), (-40, 400)])
def test_linear_window_is_the_pseudo_code_of_the_standard(centre, width):
    values = np.arange(-1000.0, 5000.0)
    expected = [by_the_standard(x, centre, width) for x in values]
    assert grayscale.linear(values, centre, width) == pytest.approx(np.array(expected), abs=1e-12)


def test_linear_window_examples_of_the_standard():
    # C.11.2.1.2.1: c=2048, w=4096 maps 0..4095 to the whole range; c=0, w=100: -50 to the minimum, 49 to the maximum
    assert grayscale.linear(np.array([0.0, 4095.0]), 2048, 4096) == pytest.approx([0, 1])
    assert grayscale.linear(np.array([-50.0, 49.0]), 0, 100) == pytest.approx([0, 1])
    # c=0, w=1: below 0 (x <= -0.5) the minimum, else the maximum
    assert grayscale.linear(np.array([-1.0, 0.0]), 0, 1) == pytest.approx([0, 1])


def test_linear_exact_window():
    assert grayscale.linear_exact(np.array([-50.0, 0.0, 25.0, 50.0, 80.0]), 0, 100) == pytest.approx([0, 0.5, 0.75, 1, 1])


def test_sigmoid_window():
    values = np.array([-1e6, 900.0, 1000.0, 1100.0, 1e6])
    expected = [0, 1 / (1 + np.exp(1)), 0.5, 1 / (1 + np.exp(-1)), 1]
    assert grayscale.sigmoid(values, 1000, 400) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"WindowCenter": 10},
        {"WindowWidth": 10},
        {"WindowCenter": 10, "WindowWidth": 0},
        {"WindowCenter": 10, "WindowWidth": -5},
        {"WindowCenter": 10, "WindowWidth": 0.5},
        {"WindowCenter": 10, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 10, "WindowWidth": 10, "VOILUTFunction": "CUBIC"},
    ],
)
def test_a_window_that_is_none_counts_as_absent(elements):
    assert grayscale.voi(np.arange(100.0), data_set(**elements)) is None


def test_of_several_windows_the_first():
    dataset = data_set(WindowCenter=[50, 10], WindowWidth=[100, 20])
    assert np.array_equal(grayscale.voi(np.arange(100.0), dataset), grayscale.linear(np.arange(100.0), 50, 100))


def test_the_function_is_the_one_the_header_names():
    values = np.arange(100.0)
    exact = data_set(WindowCenter=50, WindowWidth=100, VOILUTFunction="LINEAR_EXACT")
    curve = data_set(WindowCenter=50, WindowWidth=100, VOILUTFunction="SIGMOID")
    assert np.array_equal(grayscale.voi(values, exact), grayscale.linear_exact(values, 50, 100))
    assert np.array_equal(grayscale.voi(values, curve), grayscale.sigmoid(values, 50, 100))


def test_a_voi_table_goes_before_a_window():
    dataset = data_set(WindowCenter=1, WindowWidth=2, VOILUTSequence=[table([4, 10, 8], [0, 50, 60, 200])])
    assert grayscale.voi(np.array([0.0, 10, 11, 12, 13, 99]), dataset) == pytest.approx(
        np.array([0, 0, 50, 60, 200, 200]) / 255
    )


def test_rescale():
    assert grayscale.modality(np.array([0.0, 10]), data_set(RescaleSlope=2, RescaleIntercept=-5)) == pytest.approx([-5, 15])
    assert grayscale.modality(np.array([0.0, 10]), data_set()) == pytest.approx([0, 10])


@pytest.mark.parametrize("slope", [0, "1E400", "-1E308"])
def test_a_rescale_that_gives_no_numbers_is_refused(slope):
    dataset = data_set(RescaleIntercept=0)
    dataset.add_new(0x00281053, "DS", slope)
    with pytest.raises(PixelError) as caught:
        grayscale.modality(np.array([0.0, 1e4]), dataset)
    assert caught.value.reason is Reason.NUMERIC


def test_a_modality_table_of_signed_values_and_of_bytes():
    # first mapped value -2, as US 65534 (C.11.1.1.1: the same sign as the pixels)
    words = data_set(PixelRepresentation=1, ModalityLUTSequence=[table([4, 65534, 16], [5, 6, 7, 8])])
    assert grayscale.modality(np.array([-3.0, -2, -1, 0, 1, 2]), words) == pytest.approx([5, 5, 6, 7, 8, 8])
    packed = data_set(ModalityLUTSequence=[table([4, 0, 8], bytes([9, 8, 7, 6]))])
    assert grayscale.modality(np.array([0.0, 1, 2, 3]), packed) == pytest.approx([9, 8, 7, 6])
    wide = data_set(ModalityLUTSequence=[table([2, 0, 16], bytes([1, 1, 2, 0]))])
    assert grayscale.modality(np.array([0.0, 1]), wide) == pytest.approx([257, 2])


def test_a_table_of_65536_entries_says_0():
    whole = data_set(ModalityLUTSequence=[table([0, 0, 16], np.arange(65535, -1, -1, dtype="<u2").tobytes())])
    assert grayscale.modality(np.array([0.0, 1, 65535]), whole) == pytest.approx([65535, 65534, 0])


@pytest.mark.parametrize("item", [Dataset(), table([9, 0, 8], [1, 2]), table([2, 0, 99], [1, 2]), table([2, 0], [1, 2])])
def test_a_table_that_cannot_be_read_is_refused(item):
    with pytest.raises(PixelError) as caught:
        grayscale.modality(np.array([0.0, 1]), data_set(ModalityLUTSequence=[item]))
    assert caught.value.reason is Reason.NUMERIC


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_a_film_is_turned_over_once_at_most(photometric, shape, inverted):
    dataset = data_set(PhotometricInterpretation=photometric)
    if shape:
        dataset.PresentationLUTShape = shape
    assert grayscale.is_inverted(dataset) is inverted


def test_padding_by_value_and_by_range():
    stored = np.arange(-3.0, 4.0)
    assert not grayscale.padding(stored, data_set()).any()
    one = data_set(PixelPaddingValue=2)
    assert stored[grayscale.padding(stored, one)].tolist() == [2]
    some = data_set(PixelPaddingValue=3, PixelPaddingRangeLimit=1)
    assert stored[grayscale.padding(stored, some)].tolist() == [1, 2, 3]
    negative = data_set(PixelRepresentation=1)
    negative.add_new(0x00280120, "US", 65534)
    assert stored[grayscale.padding(stored, negative)].tolist() == [-2]


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]), finite, finite, st.lists(finite, min_size=2, max_size=30))
def test_any_window_rises_from_0_to_1_and_gives_numbers(function, centre, width, values):
    dataset = data_set(VOILUTFunction=function)
    for keyword, value in (("WindowCenter", centre), ("WindowWidth", width)):
        dataset.add_new(keyword, "FD", value)
    values = np.sort(np.clip(values, -1e300, 1e300))
    shown = grayscale.voi(values, dataset)
    if shown is None:
        assert width < (1 if function == "LINEAR" else 5e-324)
    else:
        assert np.isfinite(shown).all()
        assert (shown >= 0).all()
        assert (shown <= 1).all()
        assert (np.diff(shown) >= 0).all()


@settings(deadline=None, max_examples=100)
@given(st.integers(-0x8000, 0xFFFF), st.none() | st.integers(-0x8000, 0xFFFF), st.booleans())
def test_padding_is_what_lies_between_its_two_values(value, limit, signed):
    stored = np.arange(-0x8000, 0x8000) if signed else np.arange(0x10000)
    dataset = data_set(PixelRepresentation=int(signed))
    for keyword, given_ in (("PixelPaddingValue", value), ("PixelPaddingRangeLimit", limit)):
        if given_ is not None:
            dataset.add_new(keyword, "SS" if given_ < 0 else "US", given_)
    ends = [
        int(np.array(end & 0xFFFF, np.uint16).view(np.int16 if signed else np.uint16))
        for end in (value, limit)
        if end is not None
    ]
    assert np.array_equal(grayscale.padding(stored.astype(float), dataset), (stored >= min(ends)) & (stored <= max(ends)))
