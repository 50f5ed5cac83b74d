"""From films to the gate on invented data: clean, and with a fifth of the train labels turned round."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.training.conftest import RECIPE, write_nih_folder
from training import compare, consistency, manifest, promote, subgroups
from training.cli import evaluate as cli_evaluate
from training.cli import promote as cli_promote
from training.promote import Verdict

pytestmark = [
    pytest.mark.training,
    # TensorFlow's own modules use what their dependencies have deprecated; nothing here can change that
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated.*:UserWarning"),
]
FILMS = 128


def run(command: Callable[..., None], *arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner(env={"COLUMNS": "250"}).invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def invented(folder: Path) -> manifest.DataSet:
    """Half of the films in train, a quarter each in val and test."""
    from training.__main__ import app

    source = write_nih_folder(folder / "source", FILMS)
    with (source / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (source / "labels.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(
            row | {"split": ("train", "val", "train", "test")[number // 8 % 4], "age": 20 + number % 60}
            for number, row in enumerate(rows)
        )
    result = CliRunner().invoke(app, ["import", "nih", str(source), "--out", str(folder / "clean")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return manifest.read(folder / "clean")


def poisoned(data: manifest.DataSet, target: Path, share: float = 0.2) -> manifest.DataSet:
    """The same films; of a share of those in train both labels are turned round."""
    copytree(data.path, target)
    (target / "test_looks.txt").unlink(missing_ok=True)
    train = [film.digest for film in data.split("train")]
    turned = set(np.random.default_rng(3).choice(train, round(share * len(train)), replace=False))
    other = {"normal": "abnormal", "abnormal": "normal", "": ""}
    films = [
        replace(film, text_label=other[film.text_label], radiologist_label=other[film.radiologist_label])
        if film.digest in turned
        else film
        for film in data.films
    ]
    return manifest.write(target, films, data.source)


def trained(data: manifest.DataSet, folder: Path, name: str) -> Path:
    from training.__main__ import app

    (folder / "tiny.toml").write_text(RECIPE.replace("epochs = 1", "epochs = 2").replace("seeds = [1, 2]", "seeds = [1]"))
    path = folder / f"run_{name}"
    arguments = ["train", str(folder / "tiny.toml"), "--data", str(data.path), "--out", str(path)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    run(cli_evaluate.calibrate, path, "--data", data.path, "--alert-budget", "0.5", "--prevalence", "0.1")
    assert "Looks at this test split so far: 1" in run(cli_evaluate.evaluate, path, "--data", data.path)
    return path


def evidence(data: manifest.DataSet, candidate: Path, serving: Path) -> promote.Evidence:
    from training import bundle

    return promote.Evidence(
        candidate=compare.read(candidate),
        references={"the serving bundle": compare.read(serving)},
        training_data={"audit": bundle._audit(data)},
        reference_training_data={},
        latency_ms=1.0,
        recomputed=0.0,
    )


@pytest.mark.soak
def test_a_fifth_of_the_train_labels_turned_round_does_not_pass(tmp_path: Path) -> None:
    clean = invented(tmp_path)
    bad = poisoned(clean, tmp_path / "bad")
    clean_run, bad_run = trained(clean, tmp_path, "clean"), trained(bad, tmp_path, "bad")

    metrics = json.loads((clean_run / "metrics.json").read_text())
    assert len(metrics["val_films"]) == len(metrics["test_films"]) == FILMS // 4
    assert {"view", "sex", "age", "pool", "findings", "split", "patient"} <= set(metrics["val_films"][0])
    assert set(metrics["baselines"]) == {"linear pixels", "metadata", "thumbnail", "statistics"}
    assert "not pool a" in metrics["test"]["auc"]["text"]
    assert metrics["aim"] == "flag at most 0.50 of the films of val"
    point = json.loads((clean_run / "operating_point.json").read_text())
    assert point["predictive_values"]["prevalence"] == 0.1
    assert point["predictive_values"]["best"]["npv"] > 0.8

    checks = {check.name: check for check in promote.judge(evidence(bad, bad_run, clean_run))}
    assert checks["train labels"].verdict is Verdict.FAIL
    assert "look at the train labels" in checks["train labels"].measured
    assert promote.overall(list(checks.values())) is Verdict.FAIL
    # the same network with the labels as they were: that check has nothing to say
    sound = {check.name: check for check in promote.judge(evidence(clean, clean_run, clean_run))}
    assert sound["train labels"].verdict is Verdict.PASS

    from training import candidate
    from training.cli.bundle import bundle

    target = tmp_path / "bundle"
    run(bundle, clean_run, "--data", clean.path, "--out", target, "--version", "0.0.1")
    record = tmp_path / "bundle.promotion.json"
    arguments = (target, "--against", target, "--first", target)
    assert "give the data set with --data" in run(cli_promote.promote, *arguments, code=1)
    said = run(cli_promote.promote, *arguments, "--data", clean.path, "--approved-by", "A. Name", "--reason", "a trial", code=1)
    assert len((clean.path / "test_looks.txt").read_text().splitlines()) == 2
    written = json.loads(record.read_text())
    assert (written["approved_by"], written["reason"]) == ("A. Name", "a trial")
    outcomes = {check["name"]: check["verdict"] for check in written["checks"]}
    assert outcomes["test scores"] == "pass"
    assert outcomes["golden films and latency"] == "pass"
    assert written["verdict"] in said
    assert not list(target.glob("*promotion*"))
    # the packaged network was tested on other films: it is shown these
    run(cli_promote.promote, target, "--data", clean.path, "--out", tmp_path / "packaged.json", code=1)
    compared = {check["name"]: check for check in json.loads((tmp_path / "packaged.json").read_text())["checks"]}
    assert f"n={FILMS // 4})" in compared["AUC, text labels, against the serving and first bundle"]["measured"]

    from training.errors import TrainingError
    from triage.inference.load import load_classifier

    scored, training_data, _ = candidate.opened(target)
    with pytest.raises(TrainingError, match="another manifest"):
        candidate.look_again(training_data, bad)
    forged = training_data | {"audit": {"labels": None}}
    assert candidate.look_again(forged, clean)["audit"]["labels"] == training_data["audit"]["labels"]
    tamper(target)
    better, _, _ = candidate.opened(target)
    assert better.films != scored.films
    with pytest.raises(TrainingError, match="do not use this bundle"):
        candidate.recompute(better, load_classifier(target), clean)


def tamper(bundle: Path) -> None:
    """Better scores than the network gives, and a manifest to fit them."""
    metrics = json.loads((bundle / "metrics.json").read_text())
    for row in metrics["test_films"]:
        row["probability"] = 0.9 if row["text"] == "abnormal" else 0.1
    (bundle / "metrics.json").write_text(json.dumps(metrics))
    listed = json.loads((bundle / "manifest.json").read_text())
    listed["files"]["metrics.json"] = sha256((bundle / "metrics.json").read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(listed))


def test_wrong_labels_are_seen_by_their_share() -> None:
    """Features that tell the label as the shipped network's do (AUC 0.8), 1,000 train films, 200 of val."""
    from tests.training.scored import films

    rows = films(1200)
    rng = np.random.default_rng(1)
    abnormal = np.array([film.label == "abnormal" for film in rows])
    features = rng.normal(size=(1200, 20)) + abnormal[:, None] * 1.2 / np.sqrt(20)
    other = {"normal": "abnormal", "abnormal": "normal", "": ""}
    drops = {}
    for share in (0.0, 0.05, 0.2):
        turned = rng.random(1000) < share
        train = [
            replace(film, text_label=other[film.text_label], radiologist_label=other[film.radiologist_label]) if wrong else film
            for film, wrong in zip(rows[:1000], turned, strict=True)
        ]
        drops[share] = consistency.compare(train, features[:1000], rows[1000:], features[1000:])["val minus train"]
    assert drops[0.0]["high"] < promote.LABEL_DROP
    assert drops[0.2]["low"] > 0
    assert drops[0.0]["value"] < drops[0.05]["value"] < drops[0.2]["value"]


def test_groups_come_from_the_films() -> None:
    from tests.training.scored import films

    rows = films(60)
    names = [name for name, _ in subgroups.groups(rows)]
    assert names.index("PA") < names.index("AP")
    assert {"pool a", "not pool a", "pool b", "not pool b"} <= set(names)
    of_one_pool = [name for name, _ in subgroups.groups([replace(film, pool="x", view="PA") for film in rows])]
    assert not [name for name in of_one_pool if "pool" in name or name == "PA"]
    assert [name for name, _ in subgroups.findings(rows)] == ["Mass"]  # "No Finding" is none
    for age, band in ((0, "age < 16"), (15, "age < 16"), (16, "age 16–39"), (39, "age 16–39"), (40, "age 40–64"),
                      (65, "age ≥ 65"), (-1, "age unknown")):  # fmt: skip
        found = dict(subgroups.groups([replace(rows[0], age=age), replace(rows[1], age=-1 if age > 0 else 50)]))
        assert found[band][0]
    for _, member in subgroups.groups(rows):
        assert member.any()


def test_the_packaged_bundle_before_the_gate(tmp_path: Path) -> None:
    """It brings all that the gate asks for; but without the films nobody can approve what it says of itself."""
    from triage.inference.registry import DEFAULT, PACKAGED

    out = tmp_path / "promotion.json"
    arguments = (PACKAGED / DEFAULT, "--out", out, "--approved-by", "A. Name", "--reason", "why not")
    said = run(cli_promote.promote, *arguments, code=1)
    assert "cannot be approved by A. Name" in said
    outcomes = {check["name"]: check for check in json.loads(out.read_text())["checks"]}
    assert outcomes["AUC, text labels, against the serving and first bundle"]["measured"].startswith("+0.000")
    assert outcomes["shortcut audit"]["verdict"] == "pass"
    assert [name for name, check in outcomes.items() if check["verdict"] == "fail"] == ["test scores"]
    run(cli_promote.promote, PACKAGED / DEFAULT, "--approved-by", "A. Name", code=2)
