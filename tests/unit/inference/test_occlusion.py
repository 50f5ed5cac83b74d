"""Covering a film square by square: what decides the score lights up, and at the right place of the film."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.films import BITS, film
from triage.imaging.header import read_dataset
from triage.imaging.preprocess import preprocess
from triage.imaging.preview import preview, shades
from triage.inference.memory import MemoryClassifier
from triage.inference.occlusion import SQUARES, log_odds, occlusion

FULL = (1 << BITS) - 1
CLASSIFIER = MemoryClassifier()


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(60, 200),
    columns=st.integers(60, 200),
    row=st.integers(0, SQUARES - 1),
    column=st.integers(0, SQUARES - 1),
    negative=st.booleans(),
)
def test_a_bright_spot_lights_up_where_the_preview_shows_it(
    rows: int, columns: int, row: int, column: int, negative: bool
) -> None:
    spot = np.zeros((rows, columns), "<u2")
    inside = [
        np.ceil(np.array([place, place + 1]) * side / SQUARES).astype(int) for place, side in ((row, rows), (column, columns))
    ]
    spot[slice(*inside[0]), slice(*inside[1])] = FULL
    photometric = "MONOCHROME1" if negative else "MONOCHROME2"
    stored = (FULL - spot if negative else spot).astype("<u2")
    dataset = read_dataset(
        BytesIO(film(rows=rows, columns=columns, PixelData=stored.tobytes(), PhotometricInterpretation=photometric))
    )
    values = occlusion(CLASSIFIER, preprocess(dataset, CLASSIFIER.spec))
    assert np.unravel_index(values.argmax(), values.shape) == (row, column)
    seen = shades(preview(dataset))
    at_y, at_x = ((2 * place + 1) * side // (2 * SQUARES) for place, side in ((row, rows), (column, columns)))
    assert seen[at_y, at_x] == 255
    assert values.max() > 0 > values.min()


def test_what_the_classifier_does_not_look_at_stays_dark() -> None:
    class Corner(MemoryClassifier):
        def probability(self, tensor: np.ndarray) -> float:
            return float(tensor[:8, :8].mean())

    tensor = np.random.default_rng(0).random((32, 32, 1), dtype=np.float32)
    tensor[:8, :8] = 0.9
    values = occlusion(Corner(), tensor)
    assert (values[:2, :2] > 0.1).all()
    values[:2, :2] = 0
    assert not values.any()


def test_the_tensor_is_left_as_it_was() -> None:
    tensor = np.random.default_rng(0).random((32, 32, 1), dtype=np.float32)
    before = tensor.copy()
    assert occlusion(CLASSIFIER, tensor, squares=5).shape == (5, 5)
    assert (tensor == before).all()


@pytest.mark.parametrize(("probability", "odds"), [(0.5, 0.0), (0.8, 1.3863), (0.0, -13.8155), (1.0, 13.8155)])
def test_log_odds_are_bounded(probability: float, odds: float) -> None:
    assert log_odds(probability) == pytest.approx(odds, abs=1e-3)
