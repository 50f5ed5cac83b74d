"""The same picture twice is found however it was saved; two films that only look alike are not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.films import grey, save_picture
from tests.training.test_refusals import film
from training import duplicates
from training.errors import TrainingError
from training.importers.folder import import_folder
from training.importers.split import Split

FILMS = [film("p1", "train", "d1"), film("p2", "val", "d2"), film("p3", "test", "d3")]


def tensors(*pictures: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.stack(pictures).astype(np.float32)[..., np.newaxis]


def base(number: int) -> NDArray[np.float64]:
    return grey(number) / 255.0


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture**1.4,
        lambda picture: 0.8 * picture + 0.1,
        lambda picture: np.clip(picture + np.random.default_rng(0).normal(0, 0.02, picture.shape), 0, 1),
        lambda picture: np.round(picture * 31) / 31,
    ],
    ids=["gamma", "window", "noise", "few greys"],
)
def test_a_changed_copy_is_found(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    pairs = duplicates.find(FILMS, tensors(base(1), base(2), change(base(1))))
    assert [(pair.first.digest, pair.second.digest, pair.exact, pair.leaks) for pair in pairs] == [("d1", "d3", False, True)]
    with pytest.raises(TrainingError, match=r"d1\.png \(train\) and d3\.png \(test\) are the same picture"):
        duplicates.check(pairs)


def test_an_exact_copy_is_called_exact() -> None:
    (pair,) = duplicates.find(FILMS[:2], tensors(base(1), base(1)))
    assert pair.exact
    assert pair.correlation == pytest.approx(1.0)


def test_different_films_are_no_pair() -> None:
    films = [replace(FILMS[0], digest=str(number)) for number in range(60)]
    assert duplicates.find(films, tensors(*(base(number) for number in range(60)))) == []


def test_the_same_outline_with_other_details_is_no_pair() -> None:
    details = np.random.default_rng(0).normal(0, 0.25, (64, 64))
    details -= np.kron(details.reshape(8, 8, 8, 8).mean(axis=(1, 3)), np.ones((8, 8)))
    assert duplicates.find(FILMS[:2], tensors(base(1), base(1) + details)) == []
    assert np.bitwise_count(np.bitwise_xor(*duplicates._hashes(tensors(base(1), base(1) + details)))) <= duplicates.BITS


def test_within_a_split_or_with_extra_it_is_told_and_not_refused() -> None:
    for split in ("train", "extra"):
        pairs = duplicates.find([FILMS[0], replace(FILMS[1], split=split)], tensors(base(1), base(1)))
        assert len(pairs) == 1
        duplicates.check(pairs)


def test_an_import_that_would_leak_writes_no_manifest(tmp_path: Path) -> None:
    split = Split("s")
    for number in range(20):
        save_picture(tmp_path / "films" / "NA"[number % 2] / f"p{number}.png", grey(number))
    home = {number: split.of(f"p{number}") for number in range(20)}
    one = next(number for number in home if home[number] == "train")
    twin = next(f"q{number}" for number in range(99) if split.of(f"q{number}") == "test")
    save_picture(tmp_path / "films" / "N" / f"{twin}.png", np.clip(grey(one).astype(int) + 3, 0, 255).astype(np.uint8))
    with pytest.raises(TrainingError, match="same picture"):
        import_folder(tmp_path / "films", tmp_path / "data", split, {"normal": ["N"], "abnormal": ["A"]}, {}, "([pq][0-9]+)")
    assert not (tmp_path / "data" / "manifest.csv").exists()
