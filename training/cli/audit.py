"""``python -m training audit``: shortcuts and duplicates of a data set."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli.show import DATA, DataOption, figure, say, table


def audit(
    data: DataOption = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead.")] = False,
) -> None:
    """Can the label be told without looking at the chest? Example: python -m training audit --data runs/nih."""
    from training import audit as step
    from training import consistency, manifest

    films = manifest.read(data)
    found = step.audit(films) | {"labels": consistency.measure(films, consistency.trusted())}
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show(found, data)


def show(found: dict[str, Any], data: Path) -> None:
    """The audit for people: figures, tables, then what they mean."""
    for who, groups in found["auc"].items():
        rows = [[group, *(figure(value) for value in values.values())] for group, values in groups.items()]
        if rows:
            heads = ["films", "metadata", "8 × 8 thumbnail", "grey statistics"]
            table(f"train: AUC of shortcuts against {who} labels, cross-validated by patient", heads, rows)
    for name, lines in found["tables"].items():
        rows = [[line["value"], str(line["normal"]), str(line["abnormal"]), figure(line["share"])] for line in lines]
        table(f"train: {name} × label", [name, "normal", "abnormal", "share abnormal"], rows)
    if labels := found["labels"]:
        show_labels(labels)
    for sentence in found["meaning"]:
        say(sentence)
    pairs = found["duplicates"]
    exact, leaks = (sum(pair[kind] for pair in pairs) for kind in ("exact", "leaks"))
    say(f"Same picture twice: {len(pairs)} pairs ({exact} exactly); across train, val and test: {leaks}.")
    for pair in pairs[:10]:
        first, second = pair["films"]
        say(f"  {first['file']} ({first['split']}) = {second['file']} ({second['split']}), r = {pair['correlation']:.3f}")
    say(f"next: python -m training train recommended --data {data}")


def show_labels(labels: dict[str, Any]) -> None:
    """What a trusted network makes of the train labels, and how often report and radiologist agree."""
    from training.paired import Difference

    rows = [[split, figure(labels[split]), figure(labels["agreement"][split])] for split in ("train", "val")]
    heads = ["films", "AUC of a trusted network's features", "report and radiologist agree"]
    table("labels against pixels (train: films not learned from, five folds by patient)", heads, rows)
    say(f"val − train: {Difference(**labels['val minus train'])}; well above 0: look for wrong labels in train.")
