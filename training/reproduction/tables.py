"""Tables II and III in the paper's layout, with the paper's own figures where they are known. Pure: figures in, cells out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from training.statistics import Figure, proportion

UNKNOWN = "–"
PAPER: dict[int, dict[str, float]] = {50: {"val_loss": 2.0, "accuracy": 0.61, "sensitivity": 0.74, "specificity": 0.48}}
"""What is known here of the paper's tables, by number of epochs; its val loss is said to rise to 2.0."""
PAPER_TEST = 100
"""Test films of each class in the paper."""
READINGS = {"paper (text)": "abnormal positive", "paper (Table I)": "normal positive"}
"""The paper's sensitivity and specificity may be meant either way: name of the row → which class was positive."""
ORIENTATIONS = tuple(READINGS.values())
RATES = ("sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the names of the columns, and rows of cells."""

    title: str
    head: list[str]
    rows: list[list[str]]


def narrow(found: dict[str, Any]) -> list[Table]:
    """All tables of a finished reproduction, as ``reproduction.json`` has it; Table III once for each orientation."""
    return [sizes(found), table_ii(found), *(table_iii(found, (which,)) for which in ORIENTATIONS), areas(found)]


def sizes(found: dict[str, Any]) -> Table:
    """Films of each split, and how many patients they are of."""
    paper = {"train": "1,642", "val": "300", "test": "200 (100 normal, 100 abnormal)"}
    rows = [
        [split, paper[split], *(_size(protocol["splits"][split]) for protocol in found["protocols"].values())]
        for split in paper
    ]
    leaked = [str(protocol["test_films_of_train_patients"]) for protocol in found["protocols"].values()]
    rows.append(["test films whose patient is in train", UNKNOWN, *leaked])
    return Table("Films", ["split", "paper", *found["protocols"]], rows)


def table_ii(found: dict[str, Any]) -> Table:
    """Accuracy and loss of train and val after each number of epochs."""
    rows = []
    for epoch, by_protocol in _snapshots(found):
        for name, row in by_protocol.items():
            n = found["protocols"][name]["splits"]["val"]["films"]
            val = short(proportion(round(row["val_accuracy"] * n), n).as_dict())
            rows.append([str(epoch), name, f"{row['accuracy']:.3f}", f"{row['loss']:.3f}", val, f"{row['val_loss']:.3f}"])
        paper = PAPER.get(epoch, {})
        rows.append([str(epoch), "paper", UNKNOWN, UNKNOWN, UNKNOWN, str(paper.get("val_loss", UNKNOWN))])
    head = ["epochs", "split", "train accuracy", "train loss", "val accuracy", "val loss"]
    return Table("Table II: training and validation", head, rows)


def table_iii(found: dict[str, Any], orientations: Sequence[str] = ORIENTATIONS) -> Table:
    """Accuracy, sensitivity and specificity on test; by default with either class as positive, side by side."""
    columns = [(which, rate) for which in orientations for rate in RATES]
    rows = []
    for epoch, by_protocol in _snapshots(found):
        measured = {name: row["test"] for name, row in by_protocol.items()} | paper_test(epoch)
        rows += [
            [str(epoch), name, short(test["accuracy"]), *(short(test[which][rate]) for which, rate in columns)]
            for name, test in measured.items()
        ]
    return Table("Table III: test", ["epochs", "split", "accuracy", *(f"{rate} ({which})" for which, rate in columns)], rows)


def areas(found: dict[str, Any]) -> Table:
    """AUC on test, against both kinds of labels; the paper gives none."""
    rows = [
        [str(epoch), name, *(str(Figure(**row["test"]["auc"][source])) for source in ("text", "radiologist"))]
        for epoch, by_protocol in _snapshots(found)
        for name, row in by_protocol.items()
    ]
    return Table("Not in the paper: AUC on test", ["epochs", "split", "text labels", "radiologists' labels"], rows)


def short(figure: dict[str, Any]) -> str:
    """A figure without its number of films."""
    return UNKNOWN if figure["value"] is None else f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"


def paper_test(epoch: int) -> dict[str, dict[str, Any]]:
    """What the paper states of its test films: a row for each reading of its sensitivity, or one of nothing known.

    The intervals are Wilson's, for as many films as it had.
    """
    known = PAPER.get(epoch, {})

    def figure(rate: str, n: int) -> dict[str, Any]:
        return (proportion(round(known[rate] * n), n) if rate in known else Figure(None, None, None, n)).as_dict()

    own = {rate: figure(rate, PAPER_TEST) for rate in RATES}
    swapped = dict(zip(RATES, reversed(own.values()), strict=True))
    return {
        name: {"accuracy": figure("accuracy", 2 * PAPER_TEST)}
        | {which: own if which == positive else swapped for which in ORIENTATIONS}
        for name, positive in (READINGS if known else {"paper": ""}).items()
    }


def _snapshots(found: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number of epochs, row of each protocol)."""
    for epoch in found["epochs"]:
        yield epoch, {name: protocol["epochs"][epoch - 1] for name, protocol in found["protocols"].items()}


def _size(split: dict[str, int]) -> str:
    return f"{split['films']:,} ({split['normal']} normal, {split['abnormal']} abnormal; {split['patients']:,} patients)"
