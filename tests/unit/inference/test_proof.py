"""What is proved of a bundle before it may serve, and what is said where that cannot be."""

from itertools import count
from pathlib import Path

import pytest

from tests.unit.inference.conftest import change, reseal
from triage.domain.bundle import SLOW_MS
from triage.domain.errors import BundleError
from triage.inference.proof import prove


def test_what_was_proved_is_counted(bundle: Path, labelled: Path) -> None:
    proof = prove(bundle, labelled)
    assert proof.files == sum(path.is_file() for path in bundle.rglob("*")) - 1
    assert proof.golden == len([*bundle.glob("golden/*.dcm")])
    assert proof.references >= 4
    assert proof.left_out is None
    assert 0 < proof.median_ms <= proof.slowest_ms


def test_a_slow_network_is_slow_and_no_worse(bundle: Path, labelled: Path) -> None:
    ticks = count()
    proof = prove(bundle, labelled, clock=lambda: next(ticks) * (SLOW_MS + 1) / 1000)
    assert proof.slow
    ticks = count()
    assert not prove(bundle, labelled, clock=lambda: next(ticks) * (SLOW_MS - 1) / 1000).slow


def test_without_labels_the_order_is_left_out_and_said(bundle: Path, labelled: Path) -> None:
    (labelled / "golden" / "labels.json").unlink()
    reseal(labelled)
    proof = prove(bundle, labelled)
    assert (proof.references, proof.left_out) == (0, "too few films of the packaged bundle are labelled")


def test_a_damaged_installation_does_not_refuse_a_good_bundle(bundle: Path, labelled: Path) -> None:
    change(labelled, "manifest.json", schema=0)
    proof = prove(bundle, labelled)
    assert proof.references == 0
    assert "the packaged bundle gives none (manifest.json: schema 0" in str(proof.left_out)


def test_one_answer_to_all_reference_films_is_refused_whatever_its_own_golden_films_say(bundle: Path, labelled: Path) -> None:
    films = [*labelled.glob("golden/*.dcm")]
    for film in films:
        film.write_bytes(films[0].read_bytes())
    reseal(labelled)
    with pytest.raises(BundleError, match=f"constant output: the logits of {len(films)} reference films differ by 0;"):
        prove(bundle, labelled)
