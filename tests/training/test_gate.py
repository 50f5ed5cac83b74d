"""The step ``gate``: what it learns from, what it measures, and that a gate that falls short is not written."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.films import grey
from tests.training.typed import run
from tests.unit.inference.gates import arrays, gate, of_one_word, said
from training.errors import TrainingError
from training.gate import drawn, material, measure
from training.gate.kinds import ACCEPTED, REFUSED
from triage.domain.errors import BundleError
from triage.domain.opinion import Word
from triage.inference.gate import LEARNED

pytestmark = [
    pytest.mark.training,
    # TensorFlow's own modules use what their dependencies have deprecated; nothing here can change that
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated.*:UserWarning"),
]


@pytest.mark.parametrize("kind", [*ACCEPTED, *REFUSED], ids=lambda kind: kind.name)
def test_every_kind_makes_a_picture_of_any_film(kind: object) -> None:
    for side in (64, 97):
        film = grey(3, 192)[:side, : side + 31]
        made = kind.make(film, np.random.default_rng(0))  # type: ignore[attr-defined]
        assert made.dtype == np.uint8
        assert made.ndim == 2
        assert min(made.shape) >= 16


def test_a_third_is_a_third() -> None:
    film = grey(1, 192)
    by_name = {kind.name: kind.make(film, np.random.default_rng(0)) for kind in REFUSED}
    for name, area in (("a third of each side", 1 / 9), ("a third of the area", 1 / 3)):
        for where in ("anywhere", "middle"):
            assert by_name[f"{name}, {where}"].size / film.size == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize("picture", drawn.PICTURES, ids=lambda one: one.__name__)
def test_drawn_pictures_are_finite_and_differ(picture: object) -> None:
    rng = np.random.default_rng(0)
    made = [picture(96, rng) for _ in range(4)]  # type: ignore[operator]
    assert all(one.shape == (96, 96) and np.isfinite(one).all() for one in made)
    assert all(np.ptp(drawn.pixels(one)) > 0 for one in made)
    assert not np.array_equal(made[0], made[1])


def test_small_films_are_not_cropped_and_every_word_is_learned() -> None:
    rng = np.random.default_rng(0)
    large, small = ([word for _, word in material.examples([grey(n, side) for n in (1, 2)], rng)] for side in (256, 64))
    assert set(large) == set(LEARNED)
    assert Word.CROPPED not in small
    assert small.count(Word.UPSIDE_DOWN) == 4


def test_a_row_says_what_became_of_a_kind() -> None:
    believed = dict.fromkeys(LEARNED, 0.0)
    chest, turned = believed | {Word.CHEST: 1.0}, believed | {Word.TURNED: 1.0}
    unsure, other = believed | {Word.CHEST: 0.5, Word.TURNED: 0.3}, believed | {Word.NOT_A_CHEST: 1.0}
    found = {kind.name: [chest, turned, unsure, other, None] for kind in (*ACCEPTED, *REFUSED)}
    rows = measure.table(gate(), found)
    assert [row["expected"] for row in rows] == ["accepted"] * len(ACCEPTED) + ["refused"] * len(REFUSED)
    assert rows[0]["right"]["value"] == 0.2
    assert rows[-1]["right"]["value"] == 0.8
    assert rows[0]["words"] == {"chest": 1, "turned": 1, "not_a_chest": 1, "doubtful": 1, "no tensor": 1}
    assert rows[0]["out_of_scope"] == 1


@pytest.mark.soak
def test_a_gate_that_falls_short_is_not_written(
    tmp_path: Path, nih_folder: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from training.gate import fit, step
    from training.run import resume_at, save_weights

    data, trained = tmp_path / "data", tmp_path / "run"
    run("import", "nih", nih_folder, "--out", data)
    run("train", recipe_file, "--data", data, "--out", trained)
    monkeypatch.setattr(
        fit, "EPOCHS", 1
    )  # of a few invented films nothing can be learned: one epoch shows it as well as fifteen
    with pytest.raises(TrainingError, match=r"falls short of 0\.95 on val: .*none was written"):
        run("gate", trained, "--data", data)
    assert not list(trained.glob("eligibility*"))
    run("calibrate", trained, "--data", data)

    save_weights(trained / "eligibility.npz", of_one_word(Word.CHEST))
    (trained / "eligibility.json").write_text(json.dumps({"image_gate": said()}))
    assert "image gate" in run("evaluate", trained, "--data", data)
    metrics = json.loads((trained / "metrics.json").read_text())["image_gate"]
    assert [row["kind"] for row in metrics] == [kind.name for kind in (*ACCEPTED, *REFUSED)]
    assert {row["right"]["value"] for row in measure.asked(metrics)[1:]} == {0.0}
    with pytest.raises(BundleError, match="image gate: calls 0 of 8 golden films turned by 90° 'turned'"):
        run("bundle", trained, "--data", data, "--out", tmp_path / "bundle", "--version", "0.0.1")

    save_weights(trained / "eligibility.npz", arrays() | {"more": np.zeros(1, np.float32)})
    with pytest.raises(TrainingError, match="run again: python -m training gate"):
        step.of_run(resume_at(trained))


def test_numpy_says_what_keras_says() -> None:
    from training.gate import fit

    network = fit._network()
    thumbnails = np.random.default_rng(0).random((3, fit.SIDE, fit.SIDE), dtype=np.float32)
    scores = network.predict(thumbnails[..., np.newaxis], verbose=0)
    served = fit.gate_of(fit._weights_of(network), 0.5, 0.5)
    for thumbnail, score in zip(thumbnails, scores, strict=True):
        powers = np.exp(score - score.max())
        assert list(served.shares(thumbnail[..., np.newaxis]).values()) == pytest.approx(powers / powers.sum(), abs=1e-5)
