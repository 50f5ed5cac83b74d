"""The report: every section, nothing fetched, the figures of metrics.json; with and without test, pools, radiologists."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.training.conftest import RECIPE, write_nih_folder
from training import baselines, calibrate, card, evaluate, keras_network, run
from training.cli.report import report
from training.errors import TrainingError
from training.importers.nih import import_nih
from training.manifest import DataSet, Film, read
from training.report import build, choice, discrimination, evidence, learning, maps, page, provenance, queue
from training.run import Run
from training.statistics import Figure
from training.tensors import tensors
from triage.domain.level import HeadStarts, Level

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]

ANCHORS = {
    *("summary", "waiting", "roc", "decisions", "subgroups", "probability", "errors", "maps", "gate", "data", "labels"),
    *("shortcuts", "learning", "limits", "pedigree", "credit"),
}
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements with their attributes, cells by table, text by section; complains of tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.cells: dict[str, list[list[str]]] = {}
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self._section, self._table = "", ""
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self._section = attributes["id"]
        elif tag == "table" and "aria-label" in attributes:
            self._table = attributes["aria-label"]
            self.cells[self._table] = []
        elif tag == "tr" and self._table:
            self.cells[self._table].append([])
        elif tag in {"td", "th"} and self._table:
            self.cells[self._table][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "table":
            self._table = ""

    def handle_data(self, data: str) -> None:
        self.text[self._section] = self.text.get(self._section, "") + data
        if self._table and {"td", "th"} & set(self._open[-3:]):
            self.cells[self._table][-1][-1] += data


def set_up(path: Path, films: DataSet) -> Run:
    """A run that was never trained: the weights are a seed's; all the rest is as the commands leave it."""
    recipe = path.with_suffix(".toml")
    recipe.write_text(RECIPE)
    begun = run.begin(path, recipe)
    keras_network.seed(5)
    network = keras_network.build(begun.architecture)
    run.save_weights(path / "weights.npz", keras_network.weights_of(network))
    pedigree = {
        "commit": "0" * 40,
        "libraries": {"keras": "3"},
        "data": films.source["name"],
        "manifest_digest": films.digest(),
        "patients": {"train": "1" * 64},
        "seconds": 60.0,
    }
    begun.write_json("run.json", pedigree)
    lines = [
        {"seed": seed, "epoch": epoch, "loss": 1 / epoch, "val_auc": 0.5 + seed / 10} for seed in (1, 2) for epoch in (1, 2)
    ]
    (path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    calibrate.calibrate(begun, films)
    return begun


def judge(begun: Run, films: DataSet) -> None:
    floor = baselines.baselines(films)["linear_floor"]
    result = evaluate.evaluate(begun, films)
    begun.write_json(
        "metrics.json", result | {"test_looks": 1, "linear_floor": floor, "label_ceiling": evaluate.label_ceiling(films)}
    )


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder = tmp_path_factory.mktemp("films")
    import_nih(write_nih_folder(folder / "source", 60), folder / "data", "salt", ())
    return read(folder / "data")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, films: DataSet) -> Run:
    begun = set_up(tmp_path_factory.mktemp("runs") / "judged", films)
    judge(begun, films)
    return begun


@pytest.fixture(scope="module")
def gathered(judged: Run, films: DataSet) -> evidence.Evidence:
    return evidence.gather(judged, films)


@pytest.fixture(scope="module")
def html(gathered: evidence.Evidence) -> str:
    return build.rendered(gathered)


def test_every_section_is_there_and_nothing_is_fetched(html: str, judged: Run) -> None:
    found = Page(html)
    sections = [attributes["id"] for tag, attributes in found.elements if tag == "section"]
    assert set(sections) == ANCHORS
    assert all(len(found.text[name]) > 80 for name in sections)
    tags = {tag for tag, _ in found.elements}
    assert tags & {"script", "link", "iframe", "object", "base", "form"} == set()
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "style"):
            assert re.match(r"data:image/(png|jpeg);base64,|#|(?!.*(:\/\/|url\((?!#)))", attributes.get(name, ""))
    addresses = re.findall(r"https?://[^\s<;\"]*", html)
    assert set(addresses) == {"https://nihcc.app.box.com/v/ChestXray-NIHCC"}
    assert len(html) < 3e6
    assert "recommended" not in html
    assert str(judged.path) not in html


def test_pictures_have_words_and_ids_are_unique_or_the_same_thing(html: str) -> None:
    found = Page(html)
    pictures = [attributes for tag, attributes in found.elements if tag == "img"]
    assert len(pictures) > 20
    assert all(len(picture["alt"]) > 10 for picture in pictures)
    targets = {attributes["href"][1:] for tag, attributes in found.elements if tag == "a"}
    assert targets == ANCHORS
    assert sum(tag == "svg" for tag, _ in found.elements) >= 6


def test_the_figures_are_those_of_metrics_json(html: str, judged: Run) -> None:
    metrics = judged.read_json("metrics.json", "evaluate")
    cells = Page(html).cells
    headline = next(rows for name, rows in cells.items() if name.startswith("Headline figures"))
    for split in ("test", "val"):
        for who, title in card.SOURCES.items():
            row = next(row for row in headline if row[0] == f"{split}, {title}")
            point = metrics[split]["operating_point"][who]
            expected = [metrics[split]["auc"][who]["all"], *(point[name] for name in ("sensitivity", "specificity", "flagged"))]
            assert row[1:] == [str(Figure(**values)) for values in expected]
    groups = {row[0]: row[1:] for row in cells["test: AUC by group"][1:]}
    assert set(groups) == set(metrics["test"]["auc"]["text"])
    for name, row in groups.items():
        assert row == [str(Figure(**metrics["test"]["auc"][who][name])) for who in card.SOURCES]
    seen = [film for film in metrics["test_films"] if film["radiologist"]]
    matrix = next(rows for name, rows in cells.items() if name.startswith("test, radiologists' labels, n ="))
    for row, label in zip(matrix[1:], ("abnormal", "normal"), strict=True):
        flags = [film["probability"] >= metrics["threshold"] for film in seen if film["radiologist"] == label]
        assert row[:3] == [label, str(sum(flags)), str(len(flags) - sum(flags))]


def test_the_command_writes_the_same_bytes_for_the_same_run(html: str, judged: Run, films: DataSet, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(report)
    arguments = [str(judged.path), "--data", str(films.path), "--out", str(tmp_path / "page.html")]
    said = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert said.exit_code == 0
    assert "page.html: 0." in said.output
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == html
    assert not (films.path / "test_looks.txt").exists()


@pytest.mark.soak
def test_without_metrics_it_shows_val_and_reads_no_test_label(tmp_path: Path, films: DataSet) -> None:
    begun = set_up(tmp_path / "unjudged", films)
    html = build.html(begun, films)
    assert "The locked test split has not been evaluated" in html
    assert not [name for name in Page(html).cells if name.startswith("test")]
    other = {"abnormal": "normal", "normal": "abnormal", "": ""}
    turned = [
        replace(film, text_label=other[film.text_label], radiologist_label=other[film.radiologist_label], findings="turned")
        if film.split == "test"
        else film
        for film in films.films
    ]
    assert build.html(begun, replace(films, films=tuple(turned))) == html


@pytest.mark.soak
def test_one_pool_and_no_radiologist(tmp_path: Path, films: DataSet) -> None:
    plain = replace(
        films,
        films=tuple(
            replace(film, pool="", radiologist_label="", findings="<script>x</script>", view="", age=-1) for film in films.films
        ),
    )
    begun = set_up(tmp_path / "plain", plain)
    judge(begun, plain)
    html = build.html(begun, plain)
    found = Page(html)
    assert {attributes["id"] for tag, attributes in found.elements if tag == "section"} == ANCHORS
    assert "No test film carries a radiologist&#39;s label" in html
    assert "script" not in {tag for tag, _ in found.elements}
    assert not [name for name in found.cells if "radiologists' labels, n =" in name]
    assert not re.search(r"\bnan\b", re.sub(r"data:image/[^\"]*", "", html))


def test_pretraining_is_credited(judged: Run, films: DataSet, gathered: evidence.Evidence) -> None:
    other = {"name": "Other films", "provider": "Somebody", "licence": "CC BY 4.0", "credit": "Somebody et al."}
    pedigree = {**gathered.pedigree, "pretrained_on": other}
    for line in (card.credits(films, pedigree)[-1], str(provenance.credit(replace(gathered, pedigree=pedigree)).blocks[0])):
        assert "Pretrained on Other films: Somebody; Somebody et al.. Licence: CC BY 4.0." in line
    text = card.markdown(judged, films, judged.read_json("metrics.json", "evaluate"), "1.0")
    assert "NIH Clinical Center; https://nihcc.app.box.com/v/ChestXray-NIHCC" in text
    assert "| all | " in text


def test_metrics_of_another_calibration_are_refused(judged: Run, films: DataSet, tmp_path: Path) -> None:
    begun = Run(tmp_path, judged.recipe)
    for name in ("run.json", "calibration.json", "operating_point.json", "metrics.json"):
        begun.write_json(name, judged.read_json(name, ""))
    begun.write_json("metrics.json", judged.read_json("metrics.json", "") | {"threshold": 0.123})
    with pytest.raises(TrainingError, match="another calibration"):
        evidence.gather(begun, films)


def test_the_map_adds_up_to_the_logit(judged: Run, films: DataSet) -> None:
    network = keras_network.load(judged)
    inputs = tensors(films, films.split("val"), judged.recipe.input.spec())
    head = network.get_layer("head")
    last = np.asarray(network.predict_on_batch(inputs)["maps"], dtype=np.float64)
    found = maps.class_activation(last, head.kernel.numpy()[:, 0].astype(np.float64))
    total = found.mean(axis=(1, 2)) + float(head.bias.numpy()[0])
    np.testing.assert_allclose(total, keras_network.logits(network, inputs), atol=1e-5)


def test_the_frame_stands_where_the_map_speaks_loudest_and_nowhere_else() -> None:
    film = np.full((60, 60), 100, dtype=np.uint8)
    contributions = np.full((6, 6), -1.0)
    assert not (maps.overlay(film, contributions, 1.0) == 255).all(axis=2).any()
    contributions[2, 4] = 0.5
    rows, columns = np.nonzero((maps.overlay(film, contributions, 1.0) == 255).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (21, 28, 41, 48)


def test_worst_errors_are_errors_the_most_confident_first(films: DataSet) -> None:
    rows: list[Film] = films.split("test")
    scores = np.random.default_rng(0).random(len(rows))
    for who, label in choice.ERRORS:
        places = choice.worst(rows, scores, 0.5, who, label)
        assert places
        assert all(rows[place].label == label and rows[place].label_source == who for place in places)
        assert all((scores[place] < 0.5) == (label == "abnormal") for place in places)
        distances = [abs(scores[place] - 0.5) for place in places]
        assert distances == sorted(distances, reverse=True)
    shown = {film.digest for film in choice.all_shown(rows, scores, 0.5)}
    for label, flagged in choice.ANSWERS:
        assert {rows[place].digest for place in choice.answers(rows, scores, 0.5, label, flagged)} <= shown


def test_the_band_holds_the_curve_and_widens_when_films_share_patients() -> None:
    from training import resample

    rng = np.random.default_rng(3)
    positive = np.tile([True, False], 60)
    scores = rng.normal(positive * 1.0, 1.0)
    alone = discrimination.band(positive, scores, resample.weights([str(n) for n in range(120)], rng, 400))
    shared = discrimination.band(positive, scores, resample.weights([str(n // 12) for n in range(120)], rng, 400))
    false, true = [np.append(0, np.cumsum(side[np.argsort(-scores)]) / 60) for side in (~positive, positive)]
    curve = np.interp(discrimination.GRID, false, true)
    assert (alone[0] <= curve + 1e-9).all()
    assert (curve <= alone[1] + 1e-9).all()
    assert (shared[1] - shared[0]).mean() != pytest.approx((alone[1] - alone[0]).mean(), rel=1e-6)


def test_history_keeps_the_last_word_and_the_first_best_epoch() -> None:
    lines: list[dict[str, Any]] = [
        {"seed": 1, "epoch": 1, "loss": 1.0, "val_auc": 0.6},
        {"seed": 1, "epoch": 2, "loss": 0.9, "val_auc": 0.7},
        {"seed": 1, "epoch": 2, "loss": 0.8, "val_auc": 0.8},
        {"seed": 1, "epoch": 3, "loss": 0.7, "val_auc": 0.8},
        {"seed": 1, "epoch": 1, "loss": 0.7, "phase": "pretrain"},
    ]
    found = evidence.history(lines)
    assert [line["loss"] for line in found] == [1.0, 0.8, 0.7]
    assert learning.best_epoch(found)["epoch"] == 2


def test_cells_from_outside_are_escaped() -> None:
    assert "<b>" not in page.table("<b>", ["<b>"], [["<b>", "<b> (<b>"]])
    assert "<b>" not in page.paragraph("<b>") + page.bullets(["<b>"]) + page.source_text("<b>", "<b>")


def steady(studies: int, seed: int) -> queue.Stream:
    return queue.stream(queue.SCENES[0], studies, np.random.default_rng(seed))


def test_with_the_network_off_the_list_is_first_come_first_served() -> None:
    run_ = steady(2000, 1)
    waited, expected = queue.waits(run_, [Level.NOT_ASSESSED] * 2000), [0.0]
    for gap, reading in zip(np.diff(run_.arrivals), run_.readings, strict=False):  # Lindley's recursion
        expected.append(max(0.0, expected[-1] + reading - gap))
    np.testing.assert_allclose(waited, expected, atol=1e-6)


def test_two_classes_wait_as_cobham_says() -> None:
    """Non-preemptive priority, load 0.9, exponential readings of 5 min: 6.8 and 67.9 min; first come first served 45.0."""
    long = HeadStarts(stat=timedelta(days=9000), flagged=timedelta(days=9000), not_assessed=timedelta(0), pending=timedelta(0))
    high, low = [], []
    for seed in range(3):
        run_ = steady(30_000, seed)
        flagged = run_.flagged(0.90, 0.85)
        levels = [Level.FLAGGED if flag else Level.NOT_FLAGGED for flag in flagged]
        waited = queue.waits(run_, levels, long)
        high.append(waited[flagged].mean())
        low.append(waited[~flagged].mean())
    share = 0.3 * 0.90 + 0.7 * 0.15
    assert np.mean(high) == pytest.approx(4.5 / (1 - 0.9 * share), rel=0.05)
    assert np.mean(low) == pytest.approx(4.5 / ((1 - 0.9 * share) * 0.1), rel=0.2)


def test_the_day_has_its_busy_hours() -> None:
    run_ = queue.stream(queue.SCENES[1], 20_000, np.random.default_rng(2))
    hours = run_.arrivals % (24 * 60) / 60
    assert ((hours >= 8) & (hours < 18)).mean() == pytest.approx(0.80, abs=0.02)
    assert run_.readings.sum() / run_.arrivals[-1] == pytest.approx(0.95, abs=0.03)


def streams() -> st.SearchStrategy[tuple[queue.Stream, list[Level]]]:
    row = st.tuples(st.floats(0, 600), st.floats(0.1, 3000), st.sampled_from([Level.FLAGGED, Level.NOT_FLAGGED]))

    def as_stream(rows: list[tuple[float, float, Level]]) -> tuple[queue.Stream, list[Level]]:
        gaps, readings, levels = zip(*rows, strict=True)
        nothing = np.zeros(len(rows))
        return queue.Stream(np.cumsum(gaps), np.array(readings), nothing.astype(bool), nothing), list(levels)

    return st.lists(row, min_size=1, max_size=12).map(as_stream)


def overtaken(run_: queue.Stream, waited: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of which the later was read first."""
    starts = run_.arrivals + waited
    yield from (
        (first, second)
        for first in range(len(starts))
        for second in range(first + 1, len(starts))
        if starts[second] < starts[first] - 1e-6 and run_.arrivals[second] > run_.arrivals[first] + 1e-6
    )


@given(streams())
def test_only_flagged_studies_overtake_and_only_within_the_head_start(drawn: tuple[queue.Stream, list[Level]]) -> None:
    run_, levels = drawn
    waited = queue.waits(run_, levels)
    assert (waited >= 0).all()
    for first, second in overtaken(run_, waited):
        assert levels[first] is Level.NOT_FLAGGED
        assert levels[second] is Level.FLAGGED
        assert run_.arrivals[second] - run_.arrivals[first] <= 24 * 60 + 1e-6
