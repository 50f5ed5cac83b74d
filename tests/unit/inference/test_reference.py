"""Films from elsewhere: a network must differ between films, and put known abnormal ones first."""

from collections.abc import Sequence

import numpy as np
import pytest

from triage.domain.errors import BundleError
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import Golden
from triage.inference.reference import LEAST_SPREAD, check_not_constant, check_order, drawn_films


def films(*labels: str | None) -> list[Golden]:
    return [Golden(name=f"{number}", dicom=b"", probability=0.5, label=label) for number, label in enumerate(labels)]


FOUR = films("normal", "abnormal", "normal", "abnormal", None)


@pytest.mark.parametrize("logits", [(-1, 1, -2, 2, 0), (0, 1, 0, 0, 9)])
def test_a_network_that_puts_abnormal_films_first_passes(logits: Sequence[float]) -> None:
    assert check_order(FOUR, logits) == 4


def test_a_reversed_order_is_named_flipped_labels() -> None:
    with pytest.raises(BundleError, match="flipped labels: it calls 2 of 2 known abnormal films less suspicious"):
        check_order(FOUR, (1, -1, 2, -2, 0))


def test_no_order_is_not_called_flipped() -> None:
    with pytest.raises(BundleError, match=r"no order: it cannot tell 2 .* from 2 .*AUC 0\.50"):
        check_order(FOUR, (0, -1, 1, 2, 0))


@pytest.mark.parametrize("few", [films("normal", "abnormal"), films("normal", "normal", "abnormal"), films(None, None)])
def test_with_too_few_labels_nothing_is_asked(few: list[Golden]) -> None:
    assert check_order(few, [0.0] * len(few)) == 0


def test_a_constant_is_refused_and_a_difference_is_not() -> None:
    check_not_constant("films", [0.0, 2 * LEAST_SPREAD])
    with pytest.raises(BundleError, match=r"constant output: the logits of 3 films differ by 0\.001"):
        check_not_constant("films", [0.5, 0.501, 0.5])
    with pytest.raises(BundleError, match="no finite number"):
        check_not_constant("films", [0.5, np.nan])


@pytest.mark.parametrize("size", [(16, 16), (96, 128)])
def test_drawn_films_are_tensors_that_differ(size: tuple[int, int]) -> None:
    drawn = drawn_films(PreprocessingSpec(height=size[0], width=size[1]))
    assert {film.shape for film in drawn} == {(*size, 1)}
    assert all(film.dtype == np.float32 and film.min() >= 0 and film.max() <= 1 and film.std() > 0.1 for film in drawn)
    assert len({film.tobytes() for film in drawn}) == len(drawn)
