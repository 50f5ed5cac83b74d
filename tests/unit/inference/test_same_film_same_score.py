"""The same film, written another way, has the same probability (``-s`` prints the largest difference of each way)."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.unit.imaging.broken import (
    Break,
    high_bit_ignored,
    inverted_twice,
    never_inverted,
    padding_as_picture,
    padding_without_its_limit,
    rescale_ignored,
    second_window,
    shape_ignored,
    sign_ignored,
    unused_bits_kept,
)
from tests.unit.imaging.conftest import EXPLICIT_LITTLE, LOSSLESS, file_object, make_film
from tests.unit.imaging.parity import cells, table
from triage.imaging import grayscale
from triage.imaging.codecs import decode_frame
from triage.imaging.header import read_dataset
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import NEWEST, PreprocessingSpec
from triage.inference.load import load_classifier

ROOT = Path(__file__).resolve().parents[3]
BUNDLE = ROOT / "triage" / "models" / "recommended"
SERVED = sorted({NEWEST, json.loads((BUNDLE / "preprocessing.json").read_text())["algorithm"]})
SAMPLES = ROOT / "sample_dicom"
FILMS = [SAMPLES / origin["file"] for origin in json.loads((SAMPLES / "origins.json").read_text()) if origin["kind"] == "film"]
SAME = 1e-6
BITS = 12
WHITE = (1 << BITS) - 1

Pixels = NDArray[np.uint16]
Pair = tuple[Dataset, Dataset]
Way = Callable[[Pixels], Pair]


def windowed(centre: float, width: float, **elements: Any) -> dict[str, Any]:
    return {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": "LINEAR_EXACT", **elements}


def inverted_values(pixels: Pixels) -> Pair:
    return make_film(pixels), make_film(WHITE - pixels, PhotometricInterpretation="MONOCHROME1")


def inverted_values_and_window(pixels: Pixels) -> Pair:
    other = make_film(WHITE - pixels, PhotometricInterpretation="MONOCHROME1", **windowed(WHITE - 1800, 2500))
    return make_film(pixels, **windowed(1800, 2500)), other


def inverse_shape(pixels: Pixels) -> Pair:
    elements = windowed(2200, 3000)
    one = make_film(pixels, PhotometricInterpretation="MONOCHROME1", **elements)
    return one, make_film(pixels, PresentationLUTShape="INVERSE", **elements)


def inverse_shape_said_twice(pixels: Pixels) -> Pair:
    one = make_film(pixels, PhotometricInterpretation="MONOCHROME1")
    return one, make_film(pixels, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")


def rescaled_with_its_window(pixels: Pixels) -> Pair:
    other = make_film(pixels, RescaleSlope=2.5, RescaleIntercept=-1024, **windowed(1800 * 2.5 - 1024, 2500 * 2.5))
    return make_film(pixels, **windowed(1800, 2500)), other


def twice_the_values_half_the_slope(pixels: Pixels) -> Pair:
    other = make_film(pixels * 2, bits=BITS + 1, RescaleSlope=0.5, RescaleIntercept=0, **windowed(1800, 2500))
    return make_film(pixels, **windowed(1800, 2500)), other


def signed_with_its_intercept(pixels: Pixels) -> Pair:
    shifted = (pixels.astype(np.int32) - 2048).astype(np.int16)
    other = make_film(shifted, RescaleSlope=1, RescaleIntercept=2048, **windowed(1800, 2500))
    return make_film(pixels, **windowed(1800, 2500)), other


def more_bits_allocated(pixels: Pixels) -> Pair:
    eight = (pixels >> 4).astype(np.uint8)
    return make_film(eight, bits=8), cells(eight, stored=8, allocated=16)


def more_bits_stored(pixels: Pixels) -> Pair:
    return make_film(pixels), make_film(pixels, bits=16)


def litter_in_unused_bits(pixels: Pixels) -> Pair:
    return make_film(pixels), cells(pixels, stored=BITS, litter=_litter(pixels))


def high_bit_moved(pixels: Pixels) -> Pair:
    return make_film(pixels), cells(pixels, stored=BITS, high=15, litter=_litter(pixels))


def a_second_window(pixels: Pixels) -> Pair:
    one = make_film(pixels, WindowCenter=1800, WindowWidth=2500)
    return one, make_film(pixels, WindowCenter=[1800, 300], WindowWidth=[2500, 50])


def a_modality_table_that_changes_nothing(pixels: Pixels) -> Pair:
    identity = Sequence([table(np.arange(WHITE + 1), 0, 16)])
    return make_film(pixels), make_film(pixels, ModalityLUTSequence=identity)


def padding_that_does_not_occur(pixels: Pixels) -> Pair:
    pixels = np.minimum(pixels, WHITE - 1)
    return make_film(pixels), make_film(pixels, PixelPaddingValue=WHITE)


def padded_with_another_value(pixels: Pixels) -> Pair:
    one, other = (_padded(np.clip(pixels, 1, WHITE - 1), value) for value in (0, WHITE))
    return make_film(one, PixelPaddingValue=0), make_film(other, PixelPaddingValue=WHITE)


def padded_with_a_range(pixels: Pixels) -> Pair:
    framed = _padded(np.clip(pixels, 11, WHITE), 0)
    mixed = framed.copy()
    mixed[::2, :9] = 10
    return make_film(framed, PixelPaddingValue=0), make_film(mixed, PixelPaddingValue=0, PixelPaddingRangeLimit=10)


def _litter(pixels: Pixels) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, 1 << 16, pixels.shape)


def _padded(pixels: Pixels, value: int) -> Pixels:
    return np.pad(pixels, ((13, 40), (9, 30)), constant_values=value)


RECODED = [syntax for syntax in LOSSLESS if syntax != EXPLICIT_LITTLE]
WAYS: tuple[Way, ...] = (
    inverted_values, inverted_values_and_window, inverse_shape, inverse_shape_said_twice, rescaled_with_its_window,
    twice_the_values_half_the_slope, signed_with_its_intercept, more_bits_allocated, more_bits_stored, litter_in_unused_bits,
    high_bit_moved, a_second_window, a_modality_table_that_changes_nothing, padding_that_does_not_occur,
    padded_with_another_value, padded_with_a_range,
)  # fmt: skip


LARGE = (inverse_shape, rescaled_with_its_window, signed_with_its_intercept, litter_in_unused_bits, high_bit_moved)
"""Exact for a film that is halved before it is averaged, too: its stored values are the same, or all moved by as much."""
ROUNDED = (inverted_values, inverted_values_and_window, twice_the_values_half_the_slope, more_bits_stored)
"""Other stored values: the halving is in whole numbers, and rounds them another way."""
ROUNDING = 1e-3

Probability = Callable[[Dataset, str], float]


@pytest.fixture(scope="module")
def probability() -> Probability:
    classifier = load_classifier(BUNDLE)

    def score(dataset: Dataset, algorithm: str) -> float:
        spec = PreprocessingSpec(algorithm=algorithm, height=classifier.spec.height, width=classifier.spec.width)
        return classifier.probability(preprocess(read_dataset(BytesIO(file_object(dataset))), spec))

    return score


@pytest.fixture(scope="module")
def real() -> list[Pixels]:
    """Real films, every fourth pixel of 1024 × 1024: they are scored some 800 times."""
    return [upright(path)[::4, ::4] for path in FILMS[:8]]


@pytest.fixture(scope="module")
def large() -> Pixels:
    """A real film made as large as those that are halved before they are averaged."""
    pixels = np.repeat(np.repeat(upright(FILMS[0]), 2, axis=0), 2, axis=1)[:1500, :1500]
    noise = np.random.default_rng(5).integers(-20, 20, pixels.shape)
    return np.clip(pixels + noise, 0, WHITE).astype(np.uint16)


def upright(path: Path) -> Pixels:
    """The film's values in the MONOCHROME2 sense and 12 bits."""
    with path.open("rb") as stream:
        dataset = read_dataset(stream)
    white = (1 << dataset.BitsStored) - 1
    pixels = decode_frame(dataset).astype(np.uint16)
    return (white - pixels if grayscale.is_inverted(dataset) else pixels) << (BITS - dataset.BitsStored)


@pytest.mark.parametrize("algorithm", SERVED)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_written_another_way(way: Way, algorithm: str, real: list[Pixels], probability: Probability) -> None:
    pairs = [way(pixels) for pixels in real]
    largest = max(abs(probability(one, algorithm) - probability(other, algorithm)) for one, other in pairs)
    print(f"{way.__name__:40} {algorithm} {largest:.1e} over {len(real)} films")
    assert largest <= SAME


@pytest.mark.parametrize("algorithm", SERVED)
def test_coded_another_way(algorithm: str, real: list[Pixels], probability: Probability) -> None:
    plain = [probability(make_film(pixels), algorithm) for pixels in real]
    for syntax in RECODED:
        coded = [probability(make_film(pixels, syntax=syntax), algorithm) for pixels in real]
        largest = float(np.abs(np.subtract(plain, coded)).max())
        print(f"{UID(syntax).name:70} {algorithm} {largest:.1e} over {len(real)} films")
        assert largest <= SAME


@pytest.mark.parametrize("way", LARGE + ROUNDED, ids=lambda way: way.__name__)
def test_a_large_film_written_another_way(way: Way, large: Pixels, probability: Probability) -> None:
    one, other = (probability(film, NEWEST) for film in way(large))
    print(f"large, {way.__name__:40} {abs(one - other):.1e}")
    assert abs(one - other) <= (ROUNDING if way in ROUNDED else SAME)


def test_a_large_film_coded_another_way(large: Pixels, probability: Probability) -> None:
    plain = probability(make_film(large), NEWEST)
    for syntax in RECODED:
        difference = abs(plain - probability(make_film(large, syntax=syntax), NEWEST))
        print(f"large, {UID(syntax).name:70} {difference:.1e}")
        assert difference <= SAME


@pytest.mark.parametrize(
    ("broken", "way"),
    [
        (never_inverted, inverted_values),
        (inverted_twice, inverse_shape_said_twice),
        (shape_ignored, inverse_shape),
        (second_window, a_second_window),
        (rescale_ignored, rescaled_with_its_window),
        (sign_ignored, signed_with_its_intercept),
        (high_bit_ignored, high_bit_moved),
        (unused_bits_kept, litter_in_unused_bits),
        (padding_as_picture, padded_with_another_value),
        (padding_without_its_limit, padded_with_a_range),
    ],
    ids=lambda function: function.__name__,
)
def test_a_broken_path_is_noticed(
    broken: Break, way: Way, real: list[Pixels], probability: Probability, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    one, other = (probability(film, NEWEST) for film in way(real[0]))
    assert abs(one - other) > 100 * SAME
