"""What a bundle says of its training and test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.inference.evidence import ENOUGH, area, check_metrics

SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(abnormal: list[int], normal: list[int]) -> None:
    won = sum((ill > well) + 0.5 * (ill == well) for ill in abnormal for well in normal)
    assert area(abnormal, normal) == pytest.approx(won / (len(abnormal) * len(normal)))


def test_without_films_of_both_kinds_there_is_no_area() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        area([1.0], [])


def scores(n: int, right: bool) -> dict[str, object]:
    """``n`` test films, perfectly ordered or perfectly reversed."""
    films = []
    for number in range(n):
        abnormal = number % 2 == 0
        films.append(
            {"probability": 0.9 if abnormal is right else 0.1, "text": ("normal", "abnormal")[abnormal], "radiologist": ""}
        )
    return {"test_films": films}


def test_few_films_may_be_bad_luck() -> None:
    check_metrics(scores(ENOUGH - 1, right=False), 0.5)
    check_metrics(scores(ENOUGH, right=True), 0.5)
    check_metrics({}, 0.5)
