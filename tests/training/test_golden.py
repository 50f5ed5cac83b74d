"""Which val films become golden ones, and which of them say what they show."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.golden import COUNT, choose
from training.manifest import Film


def film(number: int, text: str, radiologist: str) -> Film:
    return Film(
        digest=f"{number:064d}",
        source_name=f"{number}.png",
        patient=str(number),
        view="PA",
        sex="F",
        age=40,
        text_label=text,
        radiologist_label=radiologist,
        radiologist_source="",
        findings="",
        pool="a",
        split="val",
    )


KINDS = st.sampled_from([(text, who) for text in ("normal", "abnormal") for who in ("normal", "abnormal", "")])
VAL = st.lists(st.tuples(KINDS, st.floats(0, 1)), min_size=1, max_size=60)


@given(VAL)
def test_labels_are_those_on_which_radiologist_report_and_network_agree(val: list[tuple[tuple[str, str], float]]) -> None:
    films = [film(number, *kind) for number, (kind, _) in enumerate(val)]
    scores = np.array([score for _, score in val])
    chosen = choose(films, scores)
    assert len({one.digest for one, _ in chosen}) == len(chosen) == min(COUNT, len(films))
    places = [float(scores[films.index(one)]) for one, _ in chosen]
    assert places == sorted(places)
    for (one, label), score in zip(chosen, places, strict=True):
        if label:
            assert one.text_label == one.radiologist_label == label
            assert score <= np.median(scores) if label == "normal" else score >= np.median(scores)


def test_with_films_enough_half_of_either_kind_spread_over_all_ranks() -> None:
    films = [film(number, *(("normal", "abnormal")[number >= 50],) * 2) for number in range(100)]
    chosen = choose(films, np.linspace(0, 1, 100))
    assert [label for _, label in chosen] == ["normal"] * 4 + ["abnormal"] * 4
    assert [films.index(one) for one, _ in chosen] == [6, 18, 31, 43, 56, 68, 81, 93]


def test_where_the_network_disagrees_no_label_is_given() -> None:
    films = [film(number, *(("abnormal", "normal")[number >= 50],) * 2) for number in range(100)]
    chosen = choose(films, np.linspace(0, 1, 100))
    assert {label for _, label in chosen} == {""}
    assert len(chosen) == COUNT
