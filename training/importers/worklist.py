"""The worklist's own verdicts, as ``triage export`` writes them (docs/verdicts.md): films that readers of this site judged."""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from training import statistics
from training.errors import TrainingError
from training.importers import read, table
from training.importers.entry import Entry, described
from training.importers.split import Split
from training.importers.store import Imported, Opener, store
from training.manifest import LABELS
from triage.imaging.deidentify import without_identity

TABLE = "verdicts.csv"
COLUMNS = ("file", "patient", "study", "label", "reader", "read_at", "probability", "model", "level")
AGREES = {"flagged": "abnormal", "not_flagged": "normal"}
"""The label that agrees with the network, by its level."""
LIMITS = [
    "Labels were given with the network's flag in view: readers lean towards what they are told (confirmation bias).",
    "Only studies that were assessed and read are in it, one film of each: a selection, not what arrives at the site.",
]


def import_worklist(
    folder: Path, target: Path, split: Split, source: Mapping[str, Any], drop_suspects: bool = False
) -> Imported:
    """The films of an export; the reader's label counts as a radiologist's, from the source ``worklist``.

    Raises:
        TrainingError: no export there, a row is not one of an export, or the data are refused.
    """
    rows = table.rows(folder / TABLE, COLUMNS)
    openers: dict[str, Opener] = {}
    for number, row in enumerate(rows, start=2):
        path = folder / row["file"]
        if not row["file"] or row["file"] in openers or not path.resolve().is_relative_to(folder.resolve()):
            raise TrainingError(f"{folder / TABLE} row {number}: file {row['file']!r} is empty, comes twice or lies elsewhere")
        if row["label"] not in LABELS or row["level"] not in AGREES or not row["patient"]:
            raise TrainingError(f"{folder / TABLE} row {number}: label, level or patient is none of an export's; export again")
        openers[row["file"]] = partial(_open, row, path)
    notes = [*agreement(rows), *LIMITS]
    return store(
        list(openers.items()),
        target,
        split,
        {**source, "limits": LIMITS, "models": sorted({row["model"] for row in rows})},
        drop_suspects=drop_suspects,
        notes=notes,
    )


def agreement(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """For each level on how many studies the readers agreed with the network, with Wilson's interval."""
    lines = []
    for level, label in AGREES.items():
        labels = [row["label"] for row in rows if row["level"] == level]
        share = statistics.proportion(labels.count(label), len(labels)) if labels else "no study"
        lines.append(f"readers agree with {level.replace('_', ' ')}: {share}")
    return lines


def _open(row: Mapping[str, str], path: Path) -> tuple[Entry, Dataset]:
    whole = read.dicom(path)
    if sha256(path.read_bytes()).hexdigest() != path.stem:
        raise read.UnreadableError("not the bytes that were exported")
    entry = Entry(
        name=row["file"],
        patient=row["patient"],
        text_label=row["label"],
        radiologist_label=row["label"],
        radiologist_source="worklist",
        pool="worklist",
    )
    return described(entry, whole), without_identity(whole, f"worklist/{path.stem}")
