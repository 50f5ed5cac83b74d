"""The tables of ChestX-ray14: the project's ``labels.csv``, or NIH's own ``Data_Entry_2017*.csv`` with its lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from training.errors import TrainingError
from training.importers import table
from training.importers.entry import Entry, years
from training.importers.split import HASH, OFFICIAL_TEST, SOURCE, Split
from training.manifest import LABELS, UNKNOWN_AGE, VIEWS

OWN, OFFICIAL = "labels.csv", "Data_Entry_2017*.csv"
OWN_COLUMNS = ("file", "patient_id", "age", "sex", "view", "label", "findings", "radiologist_label", "radiologist_source")
OFFICIAL_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
SEX_COLUMNS = ("Patient Gender", "Patient Sex")
"""Of NIH's table; the later editions renamed it."""
RADIOLOGIST_COLUMNS = ("file", "label", "source")
LISTS = ("train_val_list.txt", "test_list.txt")
OLDEST = 100
"""Years; NIH's table has some of 148 to 414, which are errors of entry."""
NOTHING_FOUND = "No Finding"


@dataclass(frozen=True, slots=True)
class Table:
    """The films that a folder's table names, and who says in which split they are (:class:`Split` ``by``)."""

    path: Path
    entries: list[Entry]
    by: str


def read(folder: Path, salt: str, lists: bool | None) -> Table:
    """The table of a folder; ``labels.csv`` is looked for first, then the newest edition of NIH's own.

    ``lists``: split by NIH's lists; ``None``: where both are there.

    Raises:
        TrainingError: no table, a column or a list is missing, or a row cannot be used.
    """
    official = sorted(folder.glob(OFFICIAL))  # Data_Entry_2017.csv, then Data_Entry_2017_v2020.csv, which corrects it
    if (folder / OWN).is_file():
        if lists:
            raise TrainingError(f"{folder / OWN} states the splits itself; leave --lists out")
        found = enumerate(table.rows(folder / OWN, OWN_COLUMNS), start=2)
        return Table(folder / OWN, [_own(row, f"{folder / OWN} row {number}") for number, row in found], SOURCE)
    if not official:
        raise TrainingError(f"{folder}: neither {OWN} nor {OFFICIAL} there; give the folder that holds one of them")
    path = official[-1]
    entries = [_official(row, f"{path} row {number}") for number, row in enumerate(table.rows(path, OFFICIAL_COLUMNS), start=2)]
    split = Split(salt)
    official_lists = _lists(folder, lists)
    if official_lists is None:
        return Table(path, [replace(entry, split=split.of(entry.patient)) for entry in entries], HASH)
    train_val, test = official_lists
    return Table(path, [_listed(entry, train_val, test, split) for entry in entries], OFFICIAL_TEST)


def radiologists(path: Path) -> dict[str, tuple[str, str]]:
    """Label and source by file, of a table with the columns ``file``, ``label``, ``source``.

    Raises:
        TrainingError: it cannot be read, lacks a column, or a row is no label or comes twice.
    """
    found: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(table.rows(path, RADIOLOGIST_COLUMNS), start=2):
        name, label = row["file"], row["label"]
        if not name or name in found or label not in LABELS:
            raise TrainingError(f"{path} row {number}: {name!r}, {label!r}: a file once, normal or abnormal; correct it")
        found[name] = (label, row["source"] or "table")
    return found


def _own(row: Mapping[str, str], where: str) -> Entry:
    try:
        age, peer = int(row["age"]), float(row["reference_p"]) if row.get("reference_p") else None
    except ValueError:
        raise TrainingError(f"{where}: age or reference_p is not a number; correct it") from None
    return Entry(
        name=row["file"],
        patient=row["patient_id"],
        view=row["view"],
        sex=row["sex"],
        age=age,
        text_label=row["label"],
        radiologist_label=row["radiologist_label"],
        radiologist_source=row["radiologist_source"],
        findings=row["findings"],
        pool=row.get("pool") or "more",
        split=row.get("split") or "train",
        peer_probability=peer,
    )


def _official(row: Mapping[str, str], where: str) -> Entry:
    name, findings, patient = row["Image Index"], row["Finding Labels"], row["Patient ID"]
    if not (name and findings and patient) or Path(name).name != name:
        raise TrainingError(f"{where}: image, findings or patient is empty or not as NIH writes it; fetch the table again")
    normal = findings == NOTHING_FOUND
    stated = row["Patient Age"]
    age = years(f"{stated}Y" if stated.isdecimal() else stated)  # 58, or 058Y as the first edition has it
    sex = next((row[column].upper() for column in SEX_COLUMNS if column in row), "")
    return Entry(
        name=name,
        patient=patient,
        view=row["View Position"] if row["View Position"] in VIEWS else "",
        sex=sex if sex in ("F", "M") else "",
        age=age if age <= OLDEST else UNKNOWN_AGE,
        text_label="normal" if normal else "abnormal",
        findings="" if normal else findings,
        pool="nih",
    )


def _lists(folder: Path, lists: bool | None) -> tuple[frozenset[str], frozenset[str]] | None:
    """NIH's lists, or ``None`` where they are not wanted or not there."""
    there = [name for name in LISTS if (folder / name).is_file()]
    if lists is False or (lists is None and not there):
        return None
    if len(there) < len(LISTS):
        missing = next(name for name in LISTS if name not in there)
        raise TrainingError(f"{folder / missing} is missing; fetch it, or give --no-lists to split by patient hash")
    train_val, test = (frozenset(_lines(folder / name)) for name in LISTS)
    if both := train_val & test:
        raise TrainingError(f"{folder}: {min(both)} is in both {LISTS[0]} and {LISTS[1]}; fetch them again")
    return train_val, test


def _lines(path: Path) -> Iterator[str]:
    yield from (line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _listed(entry: Entry, train_val: frozenset[str], test: frozenset[str], split: Split) -> Entry:
    """With its split; empty where it is in neither list."""
    if entry.name in test:
        return replace(entry, split="test")
    return replace(entry, split=split.of_rest(entry.patient)) if entry.name in train_val else entry
