"""The reproduction as a Markdown page. Pure: figures in, text out; every number in it comes from the figures."""

from collections.abc import Iterator
from typing import Any

from training.reproduction.protocols import TEST, TRAIN, VAL
from training.reproduction.tables import PAPER, Table, areas, short, sizes, table_ii, table_iii

ORIGIN = """\
Written by `python -m training reproduce-paper`, which makes all of it again; do not edit. The paper: Meddiff, *Automated
Classification of chest X-ray images as normal or abnormal using Convolutional Neural Network*."""

NETWORK = """\
The recipe `paper`: six convolutions, each with max pooling, two dense layers, ReLU, dropout, softmax, Adam at a constant rate,
batches of {batch}, text labels, no augmentation. Two ways to split the films:

- **by film**, as the paper seems to have done: films are drawn at random, so that other films of a test film's patient may be
  in train. The bench refuses such a split; this one is made in memory only. Its network has seen test films of the bench: it
  is measured here, and can never be bundled.
- **by patient**: the manifest's own splits; no patient is in two of them.

Not known here, hence assumed: {filters} filters, {dense} units in the first dense layer, dropout {dropout}, Adam's rate
{learning_rate}, input {height} × {width}, and which films the paper drew."""

NOTES = {
    "Films": """\
Only films of full size of train, val and test.""",
    "Table II": """\
Train: as Keras reports it, over the epoch, while learning and with dropout. Val: after the epoch, with Wilson's 95 % interval.
Loss: cross-entropy. A dash: not known here. The paper's val loss is said to rise to 2.0.""",
    "Table III": """\
Against text labels, with Wilson's 95 % interval (for the paper's figures: of 100 films a class). *Abnormal positive*:
sensitivity is the share of abnormal films that are found, as the paper's text has it. *Normal positive*: as its Table I has it.
One's sensitivity is the other's specificity; which of them the paper's pair means is not known, so it stands there read either
way.""",
    "Not in the paper": """\
DeLong's 95 % interval; against radiologists where a test film has their label.""",
}


def markdown(found: dict[str, Any], plot: str) -> str:
    """The page; ``plot`` is the file name of the picture beside it."""
    blocks = [
        "# The paper, made again",
        ORIGIN,
        NETWORK.format(**found["settings"] | {"filters": ", ".join(map(str, found["settings"]["filters"]))}),
    ]
    for table in (sizes(found), table_ii(found), table_iii(found), areas(found)):
        blocks += [f"## {table.title}", _table(table), NOTES[table.title.partition(":")[0]]]
        if table.title == "Films":
            blocks.append(_list(shortfall(found)))
    blocks += [f"![Accuracy and loss of train and val by epoch]({plot})", "## What it shows", _list(meaning(found))]
    blocks += ["## How it was made", _list(pedigree(found))]
    return "\n\n".join(blocks) + "\n"


def shortfall(found: dict[str, Any]) -> Iterator[str]:
    """How far the data at hand fall short of the paper's numbers."""
    wanted = {"train": TRAIN, "val": VAL, "test": sum(TEST.values())}
    for name, protocol in found["protocols"].items():
        counts = {split: protocol["splits"][split]["films"] for split in wanted}
        here, there = ("/".join(f"{n:,}" for n in numbers.values()) for numbers in (counts, wanted))
        if counts == wanted:
            yield f"{name}: the paper's numbers, {there} films."
        else:
            yield f"{name}: {here} films, not the paper's {there}: these data hold no more."


def meaning(found: dict[str, Any]) -> Iterator[str]:
    """What the figures say, in sentences that are computed from them."""
    for name, protocol in found["protocols"].items():
        yield from (f"{name}: {sentence}" for sentence in _meaning(protocol, found["epochs"][-1]))
    yield "None of these figures chose anything: the numbers of epochs are the paper's, and all of them are shown."


def pedigree(found: dict[str, Any]) -> Iterator[str]:
    """Where the figures come from."""
    epochs, parts, machine = found["epochs"], found["parts_seconds"], found["machine"]
    yield (
        f"One training of {epochs[-1]} epochs for each split, seed {found['settings']['seed']}, measured after "
        f"{', '.join(map(str, epochs))}. The rate is constant and the order of the films depends on seed and epoch only, so a "
        "shorter training with the same seed is the beginning of this one."
    )
    interrupted = f", in {len(parts)} parts (interrupted, and taken up again)" if len(parts) > 1 else ""
    yield f"Wall time {sum(parts) / 60:.1f} min on {machine['cores']} cores ({machine['architecture']}){interrupted}."
    yield f"Libraries: {', '.join(f'{name} {version}' for name, version in found['libraries'].items())}."
    yield f"Manifest {found['manifest_digest']}; begun {found['begun']}; look {found['test_looks']} at its test split."
    yield f"Films: {', '.join(filter(None, found['data'].values()))}."


def _meaning(protocol: dict[str, Any], last: int) -> Iterator[str]:
    rows, splits = protocol["epochs"], protocol["splits"]
    test = rows[last - 1]["test"]
    reached = f"test accuracy {short(test['accuracy'])} after {last} epochs"
    if last in PAPER:
        paper = PAPER[last]["accuracy"]
        inside = test["accuracy"]["low"] <= paper <= test["accuracy"]["high"]
        reached += f"; the paper's {paper} lies {'within' if inside else 'outside'} the interval"
    yield f"{reached}."
    best = min(rows, key=lambda row: row["val_loss"])
    yield (
        f"val loss is lowest after epoch {best['epoch']} ({best['val_loss']:.2f}) and {rows[-1]['val_loss']:.2f} after {last}, "
        f"while train accuracy goes from {rows[0]['accuracy']:.2f} to {rows[-1]['accuracy']:.2f}."
    )
    always = {split: max(splits[split][label] for label in ("normal", "abnormal")) / splits[split]["films"] for split in splits}
    yield f"one answer for every film would reach {always['val']:.2f} on val and {always['test']:.2f} on test."
    yield f"the view alone (AP or PA) reaches AUC {short(protocol['view_alone'])} on test against text labels."
    if leaked := protocol["test_films_of_train_patients"]:
        known, unknown = (short(test["accuracy_by_patient"][where]) for where in ("in train, too", "in test only"))
        yield (
            f"{leaked} of {splits['test']['films']} test films are of patients who are in train, too; accuracy after {last} "
            f"epochs on these {known}, on the others {unknown}."
        )


def _list(sentences: Iterator[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _table(table: Table) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (table.head, ["---"] * len(table.head), *table.rows))
