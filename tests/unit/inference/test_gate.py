"""The gate's arithmetic and its file: monotone, finite or refused, and nothing odd is loaded."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.inference.gates import arrays, gate, of_one_word, said
from triage.domain.errors import InferenceError
from triage.domain.opinion import Word
from triage.domain.reason import Reason
from triage.inference.gate import LEARNED, read_gate

SHARES = st.lists(st.floats(0, 1), min_size=len(LEARNED), max_size=len(LEARNED))


def packed(numbers: dict[str, np.ndarray]) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **numbers)
    return buffer.getvalue()


def picture(seed: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 1), dtype=np.float32)


@given(seed=st.integers(0, 1000), height=st.integers(16, 80), width=st.integers(16, 80))
def test_the_belief_is_shared_out_whole(seed: int, height: int, width: int) -> None:
    shares = gate(seed).shares(picture(seed, height, width))
    assert set(shares) == set(LEARNED)
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= 0


@settings(deadline=None)
@given(shares=SHARES, low=st.floats(0.01, 0.98), step=st.floats(0, 0.5))
def test_what_a_low_cut_off_refuses_no_higher_one_lets_pass(shares: list[float], low: float, step: float) -> None:
    believed = dict(zip(LEARNED, shares, strict=True))
    passes, passes_higher = (gate(chest_at_least=cut).word(believed) is Word.CHEST for cut in (low, min(low + step, 0.99)))
    assert passes or not passes_higher


@given(shares=SHARES)
def test_only_the_likeliest_word_is_said_and_a_chest_that_is_not_likely_enough_is_doubtful(shares: list[float]) -> None:
    believed = dict(zip(LEARNED, shares, strict=True))
    word = gate().word(believed)
    if word is Word.DOUBTFUL:
        assert max(believed.values()) == believed[Word.CHEST] < 0.6
    else:
        assert believed[word] == max(believed.values())
    assert word is not Word.CHEST or believed[Word.CHEST] >= 0.6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_picture_with_what_is_no_number_is_refused(value: float) -> None:
    tensor = picture(0)
    tensor[5, 5, 0] = value
    with pytest.raises(InferenceError) as refusal:
        gate().opinion(tensor)
    assert refusal.value.reason is Reason.NUMERIC


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 3), (1, 32, 32, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InferenceError):
        gate().opinion(np.zeros(shape, np.float32))


def test_what_overflows_is_no_opinion() -> None:
    numbers = {name: np.full_like(value, 3e38) for name, value in arrays().items()}
    broken = read_gate(said(), packed(numbers))
    with pytest.raises(InferenceError) as refusal:
        broken.opinion(picture(0))
    assert refusal.value.reason is Reason.MODEL_DISAGREES


def test_a_file_is_read_as_it_was_written() -> None:
    read = read_gate(said(), packed(arrays()))
    assert read.shares(picture(3)) == gate().shares(picture(3))
    turned = read_gate(said(), packed(of_one_word(Word.TURNED))).opinion(picture(3))
    assert turned.word is Word.TURNED
    assert not turned.certain


CODES = [word.code for word in LEARNED]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "pickle"},
        {"method": None},
        {"words": CODES[:-1]},
        {"words": [*CODES[:-1], CODES[0]]},
        {"words": [*CODES[:-1], "doubtful"]},
        {"words": "chest"},
        {"words": None},
        {"side": 17},
        {"side": 4096},
        {"side": "16"},
        {"side": True},
        {"convolutions": 3},
        {"convolutions": 10**9},
        {"convolutions": -1},
        {"chest_at_least": 0},
        {"chest_at_least": 1.0},
        {"chest_at_least": float("nan")},
        {"chest_at_least": None},
        {"chest_at_least": "x"},
        {"certain_at_least": 1.5},
    ],
)
def test_a_strange_description_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+") as refusal:
        read_gate(said(**changes), packed(arrays()))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [None, [], "gate", 1, {}])
def test_what_is_no_description_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"image_gate"):
        read_gate(value, packed(arrays()))


@pytest.mark.parametrize(
    "changes",
    [
        {"dense1/kernel": np.zeros((95, 5), np.float32)},
        {"convolution1/kernel": np.zeros((5, 5, 1, 4), np.float32)},
        {"convolution2/kernel": np.zeros((3, 3, 0, 6), np.float32)},
        {"dense2/kernel": np.zeros((5, 7), np.float32), "dense2/bias": np.zeros(7, np.float32)},
        {"dense2/bias": np.zeros((1, 6), np.float32)},
        {"dense2/bias": np.full(6, np.nan, np.float32)},
        {"dense2/bias": np.zeros(6, np.float64)},
        {"dense2/bias": np.zeros(6, np.int32)},
        {"more": np.zeros(1, np.float32)},
    ],
)
def test_strange_numbers_are_refused(changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"eligibility\.npz|last layer"):
        read_gate(said(), packed(arrays() | changes))


def test_what_is_no_archive_is_refused() -> None:
    for content in (b"", b"PK\3\4", packed(arrays())[:-40], packed({"dense1/kernel": np.array([object()])})):
        with pytest.raises(ValueError, match=r"eligibility\.npz"):
            read_gate(said(), content)


def test_a_network_too_large_is_refused() -> None:
    numbers = arrays() | {
        "dense1/kernel": np.zeros((96, 6000), np.float32),
        "dense1/bias": np.zeros(6000, np.float32),
        "dense2/kernel": np.zeros((6000, 6), np.float32),
    }
    with pytest.raises(ValueError, match="500,000"):
        read_gate(said(), packed(numbers))
