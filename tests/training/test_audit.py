"""The audit finds shortcuts that were planted, and none where there is none; and the commands as they are typed."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.training.films import grey, save_picture
from tests.training.test_refusals import film
from training import audit, manifest
from training.__main__ import app

N = 120


def films(rng: np.random.Generator, view_tells: float = 0.0) -> list[manifest.Film]:
    """``view_tells``: on this share of the films the view is the label's."""
    rows = []
    for number in range(N):
        label = manifest.LABELS[number % 2]
        told = rng.random() < view_tells
        view = ("AP" if label == "abnormal" else "PA") if told else ("AP", "PA")[int(rng.integers(2))]
        base = film(f"p{number}", "train", f"d{number}")
        values = {name: getattr(base, name) for name in manifest.Film.__dataclass_fields__}
        rows.append(manifest.Film(**values | {"view": view, "text_label": label, "age": int(rng.integers(20, 90))}))
    return rows


def noise(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.random((N, 64, 64, 1), dtype=np.float32)


def test_a_view_that_tells_the_label_is_seen_in_the_metadata() -> None:
    rng = np.random.default_rng(0)
    areas = audit.shortcuts(films(rng, 0.8), noise(rng))
    figures = areas["text"]["all"]
    assert figures["metadata"].low is not None
    assert figures["metadata"].low > 0.7
    assert figures["thumbnail"].low is not None
    assert figures["thumbnail"].low < 0.6
    sentence = audit.meaning(areas)[0]
    assert sentence.startswith("Strong shortcut in all train films (text labels): view, sex and age alone reach AUC 0.")


@pytest.mark.parametrize("kind", ["statistics", "thumbnail"])
def test_a_scanner_that_tells_the_label_is_seen_in_the_pixels(kind: str) -> None:
    rng = np.random.default_rng(1)
    rows, pixels = films(rng), noise(rng)
    for row, picture in zip(rows, pixels, strict=True):
        if row.text_label == "abnormal":
            if kind == "statistics":
                picture **= 1.2
            else:  # a dark marker in a corner
                picture[:8, :8] *= 0.8
    figures = audit.shortcuts(rows, pixels)["text"]["all"]
    assert figures[kind].low is not None
    assert figures[kind].low > audit.STRONG
    assert figures["metadata"].low is not None
    assert figures["metadata"].low < audit.SOME


def test_nothing_is_said_of_nothing() -> None:
    rng = np.random.default_rng(2)
    assert audit.meaning(audit.shortcuts(films(rng), noise(rng)))[0].startswith("No shortcut seen")
    few = films(rng)[:6]
    assert audit.meaning(audit.shortcuts(few, noise(rng)[:6]))[0].startswith("Too few films")


def test_the_table_counts_by_best_label() -> None:
    rows = audit.table([film("p1", "train", "d1"), film("p2", "train", "d2")], lambda row: row.view)
    assert [(row["value"], row["normal"], row["abnormal"]) for row in rows] == [("PA", 2, 0)]


def test_import_and_audit_as_typed(tmp_path: Path) -> None:
    for number in range(40):
        save_picture(tmp_path / "films" / ("N", "A")[number % 2] / f"p{number}_0.png", grey(number, abnormal=bool(number % 2)))
    (tmp_path / "films" / "N" / "p99_0.png").write_bytes(b"nothing")
    out = str(tmp_path / "data")
    choose = ["--normal", "N", "--abnormal", "A", "--patient", "(p[0-9]+)"]
    said = CliRunner().invoke(app, ["import", "folder", str(tmp_path / "films"), *choose, "--out", out], catch_exceptions=False)
    assert said.exit_code == 0
    for part in (
        "40 films of 40 patients",
        "left out: 1",
        "N/p99_0.png: no picture",
        "suspects",
        "next: python -m training audit",
    ):
        assert part in said.output
    shown = CliRunner().invoke(app, ["audit", "--data", out], catch_exceptions=False)
    assert "Same picture twice: 0 pairs" in shown.output
    found = json.loads(CliRunner().invoke(app, ["audit", "--data", out, "--json"], catch_exceptions=False).stdout)
    assert set(found) == {"films", "auc", "tables", "meaning", "duplicates", "labels"}
    assert "report and radiologist agree" in shown.output
    assert found["tables"]["view"][0]["value"] == "unknown"


@pytest.mark.parametrize("kind", ["nih", "folder", "dicom", "openi"])
def test_each_import_shows_an_example(kind: str) -> None:
    said = CliRunner().invoke(app, ["import", kind, "--help"])
    assert f"python -m training import {kind}" in " ".join(said.output.replace("│", " ").split())
