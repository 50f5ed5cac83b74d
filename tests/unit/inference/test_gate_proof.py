"""A gate that lets everything pass, nothing, or confuses its words is refused with its bundle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.inference.conftest import change
from tests.unit.inference.gates import arrays, of_one_word, packaged_gate, put_gate, said
from triage.domain.errors import BundleError
from triage.domain.opinion import Word
from triage.inference.bundle import open_bundle
from triage.inference.gate_proof import check_drawn, check_gate
from triage.inference.load import load_classifier
from triage.inference.reference import drawn_films, reference_films
from triage.inference.registry import PACKAGED
from triage.inference.selftest import tensor_of


def golden() -> list[np.ndarray]:
    spec = open_bundle(PACKAGED / "recommended").spec
    return [tensor_of(film, spec) for film in reference_films(PACKAGED / "recommended")]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (Word.CHEST, r"image gate: calls 0 of 8 golden films turned by 90° 'turned'"),
        (Word.TURNED, r"image gate: refuses 8 of 8 golden films"),
    ],
)
def test_a_bundle_whose_gate_says_one_word_of_everything_is_refused(bundle: Path, word: Word, reason: str) -> None:
    put_gate(bundle, of_one_word(word))
    with pytest.raises(BundleError, match=reason):
        load_classifier(bundle)


def test_numbers_without_a_description_and_the_other_way_round_are_refused(bundle: Path) -> None:
    put_gate(bundle, arrays())
    change(bundle, "eligibility.json", image_gate=None)
    with pytest.raises(BundleError, match="in both or in neither"):
        open_bundle(bundle)
    (bundle / "eligibility.npz").unlink()
    change(bundle, "eligibility.json", image_gate=said())
    with pytest.raises(BundleError, match="in both or in neither"):
        open_bundle(bundle)


def test_a_bundle_without_a_gate_serves_by_tags(bundle: Path) -> None:
    (bundle / "eligibility.npz").unlink(missing_ok=True)
    change(bundle, "eligibility.json", image_gate=None)
    classifier = load_classifier(bundle)
    shape = (classifier.spec.height, classifier.spec.width, 1)
    assert classifier.opinion(np.zeros(shape, np.float32)) is None


def test_damaged_numbers_are_refused_with_the_bundle(bundle: Path) -> None:
    put_gate(bundle, arrays() | {"dense2/bias": np.full(6, np.inf, np.float32)})
    with pytest.raises(BundleError, match=r"eligibility\.json: eligibility\.npz: dense2 holds what is no finite number"):
        open_bundle(bundle)


def test_the_packaged_gate_proves_itself() -> None:
    gate, films = packaged_gate(), golden()
    assert check_gate(gate, "golden films", films) == 6 * len(films)
    check_drawn(gate, drawn_films(open_bundle(PACKAGED / "recommended").spec))


@pytest.mark.parametrize(
    ("one", "other"), [("chest", "turned"), ("turned", "upside_down"), ("inverted", "not_a_chest"), ("inverted", "chest")]
)
def test_swapped_words_are_refused(one: str, other: str) -> None:
    gate = packaged_gate()
    swap = {one: other, other: one}
    words = {word.code: word for word in gate.words}
    swapped = replace(gate, words=tuple(words[swap.get(word.code, word.code)] for word in gate.words))
    with pytest.raises(BundleError, match="image gate"):
        check_gate(swapped, "golden films", golden())
