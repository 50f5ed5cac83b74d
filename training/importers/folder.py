"""A folder per class: pictures or DICOM files, the folder's name says what they show."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from training.errors import TrainingError
from training.importers import read
from training.importers.entry import Entry, described
from training.importers.split import Split
from training.importers.store import Imported, Opener, store
from triage.imaging.deidentify import without_identity


def import_folder(
    folder: Path,
    target: Path,
    split: Split,
    classes: Mapping[str, Sequence[str]],
    source: dict[str, Any],
    patient: str | None = None,
    radiologist: bool = False,
    drop_suspects: bool = False,
) -> Imported:
    """The films of ``folder``'s subfolders; ``classes``: the subfolders of ``normal`` and of ``abnormal`` films.

    ``patient``: a regular expression whose first group, in the file's name, is the patient; without it, Patient ID in DICOM
    files, and each picture counts as a patient of its own. ``radiologist``: who sorted the films.

    Raises:
        TrainingError: a folder is missing or in both classes, the expression has no group, or the data are refused.
    """
    pattern = _pattern(patient)
    openers: list[tuple[str, Opener]] = []
    for label, names in classes.items():
        for name in names:
            if not (folder / name).is_dir() or sum(name in others for others in classes.values()) > 1:
                there = ", ".join(sorted(path.name for path in folder.glob("*") if path.is_dir())) or "none"
                raise TrainingError(f"{folder / name} must be a folder of one class; folders there: {there}")
            for path in sorted(path for path in (folder / name).rglob("*") if _is_film(path)):
                inner = path.relative_to(folder).as_posix()
                entry = Entry(
                    name=inner,
                    patient=inner,
                    text_label=label,
                    radiologist_label=label if radiologist else "",
                    radiologist_source="folder" if radiologist else "",
                    findings=name if label == "abnormal" else "",
                    pool=folder.resolve().name,
                )
                openers.append((inner, partial(_open, entry, path, pattern)))
    chosen = {name for names in classes.values() for name in names}
    return store(openers, target, split, source, drop_suspects=drop_suspects, notes=_passed_over(folder, chosen))


def _is_film(path: Path) -> bool:
    return path.suffix.lower() in read.PICTURES | {".dcm"}


def _passed_over(folder: Path, chosen: set[str]) -> list[str]:
    """What lies in the folder and is not looked at: subfolders that are of no class, files that are no film by their name."""
    notes, strange = [], 0
    for place in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if place.name in chosen:
            strange += sum(path.is_file() and not _is_film(path) for path in place.rglob("*"))
        elif films := sum(_is_film(path) for path in (place, *place.rglob("*"))):
            notes.append(f"not in a class: {films} files of {place.name}, which neither --normal nor --abnormal names")
    if strange:
        kinds = ", ".join(sorted(read.PICTURES | {".dcm"}))
        notes.append(f"passed over: {strange} files in the classes' folders that do not end in {kinds}")
    return notes


def _pattern(expression: str | None) -> re.Pattern[str] | None:
    if expression is None:
        return None
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise TrainingError(f"--patient {expression!r} is no regular expression ({error})") from None
    if pattern.groups < 1:
        raise TrainingError(f"--patient {expression!r} has no group; put the patient's part in brackets: '(person[0-9]+)'")
    return pattern


def _open(entry: Entry, path: Path, pattern: re.Pattern[str] | None) -> tuple[Entry, Dataset]:
    key = f"folder/{entry.name}"
    if path.suffix.lower() == ".dcm":
        whole = read.dicom(path)
        entry, dataset = described(entry, whole), without_identity(whole, key)
    else:
        dataset = read.picture(path, key)
    if pattern:
        found = pattern.search(path.name)
        if not found or not found[1]:
            raise read.UnreadableError("no patient: --patient finds nothing in the file's name")
        entry = replace(entry, patient=found[1])
    return entry, dataset
