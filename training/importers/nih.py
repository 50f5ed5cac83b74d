"""NIH ChestX-ray14: ``labels.csv`` and a folder of PNG pictures → a data set of DICOM films."""

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset

from training.errors import TrainingError
from training.importers.entry import Entry
from training.importers.read import UnreadableError, picture
from training.importers.split import Split
from training.importers.store import Imported, store

FOLDERS = ("images_512", "images")
"""Where pictures may lie, looked for in this order."""
COLUMNS = frozenset(
    {"file", "patient_id", "age", "sex", "view", "label", "findings", "radiologist_label", "radiologist_source"}
)
SOURCE = {
    "name": "NIH ChestX-ray14",
    "provider": "NIH Clinical Center",
    "download": "https://nihcc.app.box.com/v/ChestXray-NIHCC",
    "paper": "Wang et al., ChestX-ray8, CVPR 2017",
    "licence": "unrestricted use with credit to the NIH Clinical Center, the link to the download site and the paper",
    "peer": "DenseNet-121 trained on other NIH films, published probabilities (BSD-3-Clause)",
    "limits": [
        "One institution; pneumonia is over-represented; radiologists' labels come mostly from a pneumonia challenge.",
        "Part of the training films had 64 × 64 pixels only, where a folder of such films was imported.",
    ],
    "radiologist_labels": [
        "RSNA Pneumonia Detection Challenge 2018 (RSNA and STR), with attribution",
        "Tang et al., npj Digital Medicine 2020 (NIH CADLab)",
    ],
}


def import_nih(folder: Path, target: Path, salt: str, more: Sequence[Path] = ()) -> Imported:
    """Wrap every picture as DICOM under ``target`` and write the manifest there.

    ``salt`` is hashed with NIH's patient number into the patient key; the split is the one that ``labels.csv`` states,
    ``train`` where it states none. ``more``: further folders of the same form; a film that occurred before is left out.

    Raises:
        TrainingError: ``labels.csv`` or a picture is missing or unreadable, or the manifest is refused.
    """
    rows: dict[str, tuple[Path, dict[str, str]]] = {}
    for place in (folder, *more):
        for row in _rows(place / "labels.csv"):
            rows.setdefault(row["file"], (place, row))
    openers = [(name, partial(_open, row, _picture(place, name))) for name, (place, row) in rows.items()]
    return store(openers, target, Split(salt, given=True), SOURCE)


def _picture(folder: Path, name: str) -> Path:
    """The picture's path; the first of the folders that has it."""
    return next((path for path in (folder / images / name for images in FOLDERS) if path.is_file()), folder / FOLDERS[0] / name)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing; give the folder that holds labels.csv and {FOLDERS[0]}/") from None
    missing = COLUMNS - set(rows[0] if rows else ())
    if missing:
        raise TrainingError(f"{path}: no column {sorted(missing)[0]!r}; it needs {', '.join(sorted(COLUMNS))}")
    return rows


def _open(row: dict[str, str], path: Path) -> tuple[Entry, Dataset]:
    entry = Entry(
        name=row["file"],
        patient=row["patient_id"],
        view=row["view"],
        sex=row["sex"],
        age=int(row["age"]),
        text_label=row["label"],
        radiologist_label=row["radiologist_label"],
        radiologist_source=row["radiologist_source"],
        findings=row["findings"],
        pool=row.get("pool") or "more",
        split=row.get("split") or "train",
        peer_probability=float(row["reference_p"]) if row.get("reference_p") else None,
    )
    try:
        return entry, picture(path, f"nih/{entry.name}", entry.view, entry.sex, entry.age)
    except UnreadableError as error:
        raise TrainingError(f"{path}: {error}; fetch it again or drop its row") from None
