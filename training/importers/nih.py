"""NIH ChestX-ray14: a table and folders of PNG pictures → a data set of DICOM films."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from training.errors import TrainingError
from training.importers import nih_tables
from training.importers.entry import Entry
from training.importers.read import UnreadableError, picture
from training.importers.split import SOURCE, Split
from training.importers.store import Imported, store

FOLDERS = ("images_512", "images", "images_*/images", "images_*")
"""Where pictures may lie, looked for in this order: the project's folder, or NIH's twelve archives as they unpack."""
CREDIT: dict[str, Any] = {
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


def import_nih(
    folder: Path,
    target: Path,
    salt: str,
    more: Sequence[Path] = (),
    *,
    lists: bool | None = None,
    only_present: bool = False,
    radiologist: Path | None = None,
    drop_suspects: bool = False,
) -> Imported:
    """Wrap every picture as DICOM under ``target`` and write the manifest there.

    ``salt`` is hashed with NIH's patient number into the patient key. The split is the one that ``labels.csv`` states
    (``train`` where it states none); with NIH's own table test is ``test_list.txt`` and the rest falls into train and val by
    patient hash, or all by hash without ``lists``. ``more``: further folders, for training only; a film that occurred before
    is left out. ``only_present``: leave out films whose picture is missing or unreadable instead of stopping.
    ``radiologist``: a table (``file``, ``label``, ``source``) of labels that radiologists gave.

    Raises:
        TrainingError: a table, list or picture is missing or unreadable, or the manifest is refused.
    """
    tables = [(place, nih_tables.read(place, salt, lists if place == folder else False)) for place in (folder, *more)]
    labels = nih_tables.radiologists(radiologist) if radiologist else {}
    films: dict[str, tuple[Entry, Path]] = {}
    notes = []
    for place, table in tables:
        pictures = _pictures(place)
        for entry in table.entries:
            # the table's own rule knows nothing of the first folder's splits
            told = entry if place == folder or table.by == SOURCE else replace(entry, split="train")
            films.setdefault(entry.name, (_labelled(told, labels), pictures.get(entry.name, place / entry.name)))
        if unused := len(pictures.keys() - {entry.name for entry in table.entries}):
            notes.append(f"not in the table {table.path}: {unused} pictures")
    if strangers := labels.keys() - films.keys():
        notes.append(f"radiologists' labels of films that are in no table: {len(strangers)}, such as {min(strangers)}")
    if not only_present:
        _all_there([path for _, path in films.values()])
    openers = [(name, partial(_open, entry, path, only_present)) for name, (entry, path) in films.items()]
    by = tables[0][1].by
    return store(openers, target, Split(salt, by=by), CREDIT, drop_suspects=drop_suspects, notes=notes)


def _pictures(folder: Path) -> dict[str, Path]:
    """Every picture of a folder by its name; the first of the places that has it."""
    found: dict[str, Path] = {}
    for pattern in FOLDERS:
        for place in sorted(folder.glob(pattern)):
            for path in place.glob("*.png"):
                found.setdefault(path.name, path)
    return found


def _labelled(entry: Entry, labels: Mapping[str, tuple[str, str]]) -> Entry:
    """With the radiologists' label of the further table, where it has one."""
    if entry.name not in labels:
        return entry
    label, source = labels[entry.name]
    return replace(entry, radiologist_label=label, radiologist_source=source)


def _all_there(paths: Sequence[Path]) -> None:
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise TrainingError(
            f"{missing[0].parent}: picture {missing[0].name} is missing ({len(missing)} of {len(paths)} pictures; looked in "
            f"{', '.join(FOLDERS)}); fetch the rest, or give --only-present to leave such films out"
        )


def _open(entry: Entry, path: Path, only_present: bool) -> tuple[Entry, Dataset]:
    if not entry.split:
        raise UnreadableError("in neither of NIH's lists")
    try:
        return entry, picture(path, f"nih/{entry.name}", entry.view, entry.sex, entry.age)
    except UnreadableError as error:
        if only_present:
            raise
        raise TrainingError(f"{path}: {error}; fetch it again, or give --only-present to leave such films out") from None
