"""A folder of DICOM files and a CSV with their labels."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from training import progress
from training.errors import TrainingError
from training.importers import read, table
from training.importers.entry import Entry, described
from training.importers.split import SOURCE, Split
from training.importers.store import Imported, Opener, store
from training.manifest import LABELS, MEASURED
from triage.imaging.deidentify import without_identity

COLUMNS = {
    "file": "path within the folder; or instead",
    "sop_instance_uid": "SOP Instance UID",
    "label": "normal or abnormal",
    "radiologist_label": "the same, by a radiologist who looked at the film (may be empty or absent)",
    "patient": "instead of Patient ID",
    "findings": "free text, separated by |",
    "pool": "where the film comes from, such as a site or device",
    "split": "train, val or test of every film, instead of by patient hash",
}


def import_dicom(
    folder: Path, labels: Path, target: Path, split: Split, source: dict[str, Any], drop_suspects: bool = False
) -> Imported:
    """The films of ``folder`` that have a row in ``labels``; view, sex, age and Patient ID are the files' own.

    With a column ``split`` the table says who is in which; a patient in two is refused.

    Raises:
        TrainingError: the table is missing, lacks a column, names a film twice or an unknown label; or the data are refused.
    """
    rows = _rows(labels)
    given = "split" in rows[0]
    by_uid = {} if "file" in rows[0] else _paths_by_uid(folder)
    openers: dict[str, Opener] = {}
    listed = set()
    for number, row in enumerate(rows, start=2):
        name = row.get("file") or row.get("sop_instance_uid") or ""
        path = folder / name if "file" in row else by_uid.get(name, folder / name)
        if not name or path.resolve() in listed or not path.resolve().is_relative_to(folder.resolve()):
            raise TrainingError(f"{labels} row {number}: {name!r} is empty, occurs twice or lies outside {folder}; correct it")
        for column in ("label", "radiologist_label"):
            value = row.get(column) or ""
            if value not in LABELS and (value or column == "label"):
                raise TrainingError(f"{labels} row {number}: {column} {value!r} is neither normal nor abnormal; correct it")
        if given and row["split"] not in MEASURED:
            raise TrainingError(f"{labels} row {number}: split {row['split']!r} is none of {', '.join(MEASURED)}; fill it in")
        openers[name] = partial(_open, row, name, path, folder.resolve().name)
        listed.add(path.resolve())
    others = [path for path in folder.rglob("*") if path.resolve() not in listed and read.is_dicom(path)]
    notes = [f"not in the table: {len(others)} DICOM files, such as {min(others).relative_to(folder)}"] if others else []
    rule = replace(split, by=SOURCE) if given else split
    return store(list(openers.items()), target, rule, source, drop_suspects=drop_suspects, notes=notes)


def _rows(labels: Path) -> list[dict[str, str]]:
    rows = table.rows(labels, ())
    if not rows or "label" not in rows[0] or not {"file", "sop_instance_uid"} & set(rows[0]):
        known = "; ".join(f"{name}: {what}" for name, what in COLUMNS.items())
        raise TrainingError(f"{labels}: needs rows, a column file or sop_instance_uid, and label. Columns: {known}")
    return rows


def _paths_by_uid(folder: Path) -> dict[str, Path]:
    found = {}
    for path in progress.track(sorted(path for path in folder.rglob("*") if path.is_file()), "looking"):
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
        except (OSError, InvalidDicomError, ValueError):
            continue  # a film that a row asks for is told as missing
        found[str(header.get("SOPInstanceUID"))] = path
    return found


def _open(row: dict[str, str], name: str, path: Path, pool: str) -> tuple[Entry, Dataset]:
    whole = read.dicom(path)
    radiologist = row.get("radiologist_label", "")
    entry = Entry(
        name=name,
        patient="",
        text_label=row["label"],
        radiologist_label=radiologist,
        radiologist_source="table" if radiologist else "",
        findings=row.get("findings", ""),
        pool=row.get("pool") or pool,
        split=row.get("split", ""),
    )
    entry = described(entry, whole)
    entry = replace(entry, patient=row.get("patient") or entry.patient)
    if not entry.patient:
        raise read.UnreadableError("no Patient ID; add a column patient")
    return entry, without_identity(whole, f"dicom/{name}")
