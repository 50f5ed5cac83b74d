"""Films of which nothing can be said have their stated outcome: a reason, or a tensor of numbers, never a score from NaN."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.unit.imaging.conftest import anatomy, make_film
from tests.unit.imaging.parity import table
from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.preprocess import ALGORITHMS, preprocess
from triage.imaging.preview import frame, preview, shades
from triage.imaging.spec import PreprocessingSpec

SIZE = (90, 70)
NUMBERS = None
"""The outcome of a film that gives numbers: whether it is a chest film is for :mod:`triage.imaging.eligibility` to say."""


def film(pixels: NDArray[Any] | int | None = None, **elements: Any) -> Dataset:
    pixels = anatomy(12, *SIZE) if pixels is None else np.broadcast_to(np.asarray(pixels, np.uint16), SIZE).copy()
    texts = {keyword: elements.pop(keyword) for keyword in list(elements) if isinstance(elements[keyword], str)}
    dataset = make_film(pixels, **elements)
    for keyword, value in texts.items():  # as devices write them: what is no number is not always refused by its VR
        dataset.add_new(keyword, "LO" if "Rescale" in keyword or "Window" in keyword else "CS", value)
    return dataset


checkerboard = np.indices(SIZE).sum(axis=0) % 2 * 4095
half_black = np.where(np.arange(SIZE[0])[:, np.newaxis] < SIZE[0] // 2, 0, anatomy(12, *SIZE))
saturated = np.where(anatomy(12, *SIZE) > 2200, 4095, 0)
noise = np.random.default_rng(2).integers(0, 4096, SIZE)
one_bright_pixel = np.zeros(SIZE, np.uint16)
one_bright_pixel[3, 4] = 4095

OUTCOMES: dict[str, tuple[Dataset, Reason | None]] = {
    "all 0": (film(0), Reason.NUMERIC),
    "all 4095": (film(4095), Reason.NUMERIC),
    "constant under a window": (film(700, WindowCenter=700, WindowWidth=100), Reason.NUMERIC),
    "constant under a sigmoid": (film(700, WindowCenter=700, WindowWidth=100, VOILUTFunction="SIGMOID"), Reason.NUMERIC),
    "constant, MONOCHROME1": (film(700, PhotometricInterpretation="MONOCHROME1"), Reason.NUMERIC),
    "one bright pixel": (film(one_bright_pixel), Reason.NUMERIC),
    "half black": (film(half_black), NUMBERS),
    "noise": (film(noise), NUMBERS),
    "saturated": (film(saturated), NUMBERS),
    "checkerboard": (film(checkerboard), NUMBERS),
    "slope 0": (film(RescaleSlope=0, RescaleIntercept=0), Reason.NUMERIC),
    "slope 1e308": (film(RescaleSlope="1E308", RescaleIntercept="0"), Reason.NUMERIC),
    "slope -1e308": (film(RescaleSlope="-1E308"), Reason.NUMERIC),
    "slope 1e300": (film(RescaleSlope="1E300"), NUMBERS),
    "slope 1e-300": (film(RescaleSlope="1E-300"), NUMBERS),
    "slope infinite": (film(RescaleSlope="1E400"), Reason.NUMERIC),
    "slope Inf": (film(RescaleSlope="Inf"), Reason.NUMERIC),
    "slope NaN": (film(RescaleSlope="NaN"), Reason.NUMERIC),
    "slope a word": (film(RescaleSlope="wide"), Reason.NUMERIC),
    "intercept NaN": (film(RescaleIntercept="NaN"), Reason.NUMERIC),
    "intercept 1e308": (film(RescaleIntercept="1E308"), Reason.NUMERIC),
    "intercept that swallows the values": (film(RescaleIntercept="1E20"), Reason.NUMERIC),
    "window NaN": (film(WindowCenter="NaN", WindowWidth="NaN"), NUMBERS),
    "window a word": (film(WindowCenter="left", WindowWidth="wide"), NUMBERS),
    "window 1e308": (film(WindowCenter="1E308", WindowWidth="1E308"), NUMBERS),
    "window 1e-308 wide": (film(WindowCenter=2000, WindowWidth="1E-308", VOILUTFunction="LINEAR_EXACT"), NUMBERS),
    "sigmoid 1e-308 wide": (film(WindowCenter=2000, WindowWidth="1E-308", VOILUTFunction="SIGMOID"), NUMBERS),
    "sigmoid beside the film": (film(WindowCenter=-90000, WindowWidth=10, VOILUTFunction="SIGMOID"), NUMBERS),
    "VOI LUT of one value": (film(VOILUTSequence=Sequence([table(np.full(4096, 9), 0, 16)])), NUMBERS),
    "VOI LUT that cannot be read": (film(VOILUTSequence=Sequence([Dataset()])), Reason.NUMERIC),
    "modality LUT of one value": (film(ModalityLUTSequence=Sequence([table(np.full(4096, 9), 0, 16)])), Reason.NUMERIC),
    "modality LUT that cannot be read": (film(ModalityLUTSequence=Sequence([Dataset()])), Reason.NUMERIC),
    "all padding": (film(PixelPaddingValue=0, PixelPaddingRangeLimit=4095), Reason.NUMERIC),
    "padding a word": (film(), NUMBERS),
}
OUTCOMES["padding a word"][0].add_new("PixelPaddingValue", "LO", "none")


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("name", OUTCOMES)
def test_a_tensor_of_numbers_or_the_reason(name: str, algorithm: str) -> None:
    dataset, reason = OUTCOMES[name]
    spec = PreprocessingSpec(algorithm=algorithm, height=64, width=48)
    if reason is None:
        tensor = preprocess(dataset, spec)
        assert np.isfinite(tensor).all()
        assert (tensor.min(), tensor.max()) == (0, 1)
    else:
        with pytest.raises(PixelError) as caught:
            preprocess(dataset, spec)
        assert caught.value.reason is reason


@pytest.mark.parametrize("name", OUTCOMES)
def test_whatever_is_scored_can_be_shown(name: str) -> None:
    dataset, reason = OUTCOMES[name]
    if reason is None:
        for view in (preview, frame):
            grey = shades(view(dataset))
            assert grey.shape == SIZE
            assert np.ptp(grey) > 100
