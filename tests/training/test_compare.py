"""Two networks on the same films: what is compared, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.training.scored import evidence_of, films, network
from training import compare, paired, scores
from training.cli import promote as cli_promote
from training.errors import TrainingError

FILMS = films(300)


def bundle(path: Path, strength: float, own: int, rows: int = 300) -> Path:
    path.mkdir()
    lines = scores.rows(FILMS[:rows], evidence_of(FILMS, strength, own)[:rows])
    (path / "metrics.json").write_text(json.dumps({"threshold": 0.3, "test_films": lines}))
    return path


def test_a_network_and_itself_do_not_differ() -> None:
    one = network(FILMS, evidence_of(FILMS))
    found = compare.compare(one, one)
    assert {figure["value"] for groups in found["auc"].values() for figure in groups.values()} == {0.0}
    assert {figure["p"] for groups in found["auc"].values() for figure in groups.values()} == {1.0}
    assert found["operating_point"]["text"]["sensitivity"]["value"] == 0
    assert found["auc_interval"] == "DeLong"


def test_the_better_one_is_seen_by_group_and_the_order_turns_the_sign() -> None:
    good, poor = network(FILMS, evidence_of(FILMS, 2.5)), network(FILMS, evidence_of(FILMS, 1.5, own=2))
    there, back = compare.compare(good, poor), compare.compare(poor, good)
    assert set(there["auc"]["text"]) >= {"all", "PA", "AP", "F", "M", "pool a", "not pool a", "age 40–64", "report only"}
    assert "report only" not in there["auc"]["radiologist"]
    assert there["auc"]["radiologist"]["all"]["low"] > 0
    for group, figure in there["auc"]["text"].items():
        assert figure["n"] >= compare.ENOUGH
        assert back["auc"]["text"][group]["value"] == pytest.approx(-figure["value"])


def test_other_films_are_refused_and_other_labels_left_out() -> None:
    whole, part = network(FILMS, evidence_of(FILMS)), network(FILMS[:290], evidence_of(FILMS)[:290], "other")
    with pytest.raises(TrainingError, match="290 in common of 300 and 290"):
        compare.compare(whole, part)
    changed = network([replace(FILMS[0], text_label="abnormal"), *FILMS[1:]], evidence_of(FILMS))
    found = compare.compare(whole, changed)
    assert (found["films"], found["left_out_for_other_labels"]) == (299, 1)


def test_an_older_bundle_borrows_what_the_other_knows_of_the_films() -> None:
    old = network(FILMS, evidence_of(FILMS))
    bare = [{name: row[name] for name in ("film", "probability", "text", "radiologist")} for row in old.metrics["test_films"]]
    older = replace(old, films=scores.read(bare, "old"))
    assert "PA" in compare.compare(older, old)["auc"]["text"]
    assert set(compare.compare(older, older)["auc"]["text"]) == {"all", "seen by a radiologist", "report only"}


def test_the_command_as_typed(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(cli_promote.compare)
    paths = [str(bundle(tmp_path / "a", 2.2, 1)), str(bundle(tmp_path / "b", 2.0, 2))]
    shown = CliRunner().invoke(app, paths, catch_exceptions=False)
    assert "300 films" in shown.output
    found = json.loads(CliRunner().invoke(app, [*paths, "--json"], catch_exceptions=False).stdout)
    assert found["auc"]["text"]["all"]["n"] == 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "run first"),
        ("{}", "no test scores"),
        ('{"threshold": 0.5, "test_films": [{"film": "x"}]}', "damaged"),
        (
            '{"threshold": 0.5, "test_films": [{"film": "x", "text": "", "radiologist": "", "probability": 2}]}',
            "no probability",
        ),
    ],
)
def test_a_directory_without_scores(tmp_path: Path, content: str | None, message: str) -> None:
    if content:
        (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(TrainingError, match=message):
        compare.read(tmp_path)


def test_four_films_told_apart_by_both_prove_nothing() -> None:
    positive = np.array([True, True, False, False])
    first, second = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.8, 0.9, 0.2, 0.1])
    difference = paired.auc_difference(positive, first, second)
    assert difference.value == 0
    assert difference.low is not None
    assert difference.low < -0.3
    assert paired.auc_difference(positive, first, first).low == 0.0


def test_a_bundle_carries_no_patient_keys() -> None:
    rows = films(6)
    kept = {line["patient"] for line in scores.rows(rows, np.full(6, 0.5))}
    assert len(kept) == len({film.patient for film in rows})
    assert not kept & {film.patient for film in rows}
