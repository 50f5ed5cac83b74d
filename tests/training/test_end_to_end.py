"""The commands in order, as an administrator types them, on invented films; the service loads what comes out."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.typed import run

pytestmark = [
    pytest.mark.training,
    # TensorFlow's own modules use what their dependencies have deprecated; nothing here can change that
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated.*:UserWarning"),
]


def test_from_films_to_a_bundle_that_the_service_loads(tmp_path: Path, nih_folder: Path, recipe_file: Path) -> None:
    from training import keras_network, manifest
    from training.run import resume_at
    from training.tensors import tensors
    from triage.inference.load import load_classifier

    data, trained, bundle = tmp_path / "data", tmp_path / "run", tmp_path / "bundle"
    assert "manifest digest" in run("import", "nih", nih_folder, "--out", data)
    assert "seed 2 epoch   1" in run("train", recipe_file, "--data", data, "--out", trained)
    assert "ECE before" in run("calibrate", trained, "--data", data)
    assert "Looks at this test split so far: 1" in run("evaluate", trained, "--data", data, "--out", tmp_path / "all.json")
    assert "Looks at this test split so far: 2" in run("evaluate", trained, "--data", data)
    assert "golden films agree" in run("bundle", trained, "--data", data, "--out", bundle, "--version", "0.0.1")

    classifier = load_classifier(bundle)
    assert classifier.model.label.startswith("tiny@0.0.1+")
    films = manifest.read(data)
    tensor = tensors(films, films.split("test"), classifier.spec)
    logits = keras_network.logits(keras_network.load(resume_at(trained)), tensor)
    served = [classifier.probability(film) for film in tensor]
    np.testing.assert_allclose(served, [classifier.calibration.probability(logit) for logit in logits], atol=1e-5)

    metrics = json.loads((bundle / "metrics.json").read_text())
    assert metrics["test_looks"] == 2
    assert {"all", "PA", "AP", "pool a", "not pool a"} <= set(metrics["test"]["auc"]["radiologist"])
    assert "NIH Clinical Center" in (bundle / "MODEL_CARD.md").read_text()


def test_a_committee_says_the_mean_of_its_members(tmp_path: Path, nih_folder: Path, recipe_file: Path) -> None:
    from training import keras_network
    from training.networks import residual_gap

    keras_network.seed(3)
    films = np.random.default_rng(0).random((3, 32, 32, 1), dtype=np.float32)
    members = [residual_gap(32, 32, widths=(4, 8), strides=(1, 2)) for _ in range(2)]
    whole = residual_gap(32, 32, widths=(4, 8), strides=(1, 2), members=2)
    keras_network.put_weights(whole, keras_network.committee([keras_network.weights_of(member) for member in members]))
    mean = np.mean([keras_network.logits(member, films) for member in members], axis=0)
    np.testing.assert_allclose(keras_network.logits(whole, films), mean, atol=1e-5)
