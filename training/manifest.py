"""The manifest: one row a film, the only thing that importers and the rest of training share.

A data set is a directory with ``manifest.csv``, ``source.json`` (where it comes from, licence, credit) and
``dicom/<digest>.dcm``.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.files import replacing

SPLITS = ("train", "val", "test", "extra")
"""``extra``: other films of patients of val or test; nothing ever reads them."""
MEASURED = SPLITS[:3]
"""Those between which no patient and no picture may be shared."""
LABELS = ("abnormal", "normal")
VIEWS = ("PA", "AP", "")
"""The last: a frontal film of which nobody says whether it is PA or AP."""
UNKNOWN_AGE = -1
"""An empty field in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One row. ``digest``: SHA-256 of the DICOM file, which names it; ``patient``: salted key, never the number itself.

    ``text_label`` was mined from a report; ``radiologist_label`` is empty where none looked; ``peer_probability`` of
    *abnormal* is what another, published network said, where that is known.
    """

    digest: str
    source_name: str
    patient: str
    view: str
    sex: str
    age: int
    text_label: str
    radiologist_label: str
    radiologist_source: str
    findings: str
    pool: str
    split: str
    peer_probability: float | None = None

    @property
    def label(self) -> str:
        """The best label there is: the radiologist's, else the report's."""
        return self.radiologist_label or self.text_label

    @property
    def label_source(self) -> str:
        """Who gave :attr:`label`."""
        return "radiologist" if self.radiologist_label else "text"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A directory of films with their manifest."""

    path: Path
    films: tuple[Film, ...]
    source: dict[str, Any]

    def split(self, name: str) -> list[Film]:
        """The films of one split, in the manifest's order."""
        return [film for film in self.films if film.split == name]

    def dicom(self, film: Film) -> Path:
        """The DICOM file of a film."""
        return self.path / "dicom" / f"{film.digest}.dcm"

    def digest(self) -> str:
        """SHA-256 of the manifest file."""
        return sha256((self.path / "manifest.csv").read_bytes()).hexdigest()


def patients_digest(films: Sequence[Film]) -> str:
    """SHA-256 of the sorted patient keys: says which patients without naming any."""
    return sha256("\n".join(sorted({film.patient for film in films})).encode()).hexdigest()


def splits_digest(films: Sequence[Film]) -> str:
    """SHA-256 of who is in which split: the same as long as no patient moves, whatever else is corrected."""
    lines = sorted({f"{film.patient},{film.split}" for film in films})
    return sha256("\n".join(lines).encode()).hexdigest()


def write(path: Path, films: Sequence[Film], source: dict[str, Any]) -> DataSet:
    """Check the films and write ``manifest.csv`` and ``source.json``, which also freezes who is in which split.

    Raises:
        TrainingError: see :func:`check`.
    """
    check(films)
    source = {**source, "splits_digest": splits_digest(films)}
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(Film)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(film) | {"age": "" if film.age == UNKNOWN_AGE else film.age} for film in films)
    # cut short between the two, the old source's splits digest refuses the new manifest wherever a patient came, went or moved
    for name, content in (
        ("manifest.csv", text.getvalue()),
        ("source.json", json.dumps(source, indent=2, ensure_ascii=False) + "\n"),
    ):
        with replacing(path / name) as file:
            file.write(content.encode())
    return DataSet(path, tuple(films), source)


def read(path: Path) -> DataSet:
    """The data set in a directory, checked.

    Raises:
        TrainingError: no manifest there, a column is missing, :func:`check` refuses it, or a patient moved to another split.
    """
    try:
        with (path / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        source = json.loads((path / "source.json").read_text(encoding="utf-8"))
        films = tuple(_film(row) for row in rows)
    except FileNotFoundError as error:
        raise TrainingError(f"{path} is no data set: {Path(error.filename).name} is missing; run: import") from None
    except (TypeError, KeyError, ValueError) as error:
        raise TrainingError(f"{path / 'manifest.csv'} has not the columns of a manifest ({error}); import again") from None
    check(films)
    if source.get("splits_digest", frozen := splits_digest(films)) != frozen:
        raise TrainingError(f"{path / 'manifest.csv'}: patients were moved between splits since the import; import again")
    return DataSet(path, films, source)


def _film(row: dict[str, Any]) -> Film:
    peer = row["peer_probability"]
    return Film(**{**row, "age": int(row["age"] or UNKNOWN_AGE), "peer_probability": float(peer) if peer else None})


def check(films: Sequence[Film]) -> None:
    """Refuse what would make the evidence worthless.

    Raises:
        TrainingError: a patient in two of train, val, test; a film twice; an unknown label, view or split; an empty split.
    """
    for name, allowed in (("split", SPLITS), ("text_label", LABELS), ("radiologist_label", (*LABELS, "")), ("view", VIEWS)):
        strange = {getattr(film, name) for film in films} - set(allowed)
        if strange:
            raise TrainingError(f"manifest: {name} {sorted(strange)[0]!r} is none of {', '.join(filter(None, allowed))}")
    doubles = [digest for digest, times in Counter(film.digest for film in films).items() if times > 1]
    if doubles:
        raise TrainingError(f"manifest: film {doubles[0][:12]} occurs twice; remove one of the rows")
    home: dict[str, str] = {}
    for film in films:
        if film.split != "extra" and home.setdefault(film.patient, film.split) != film.split:
            raise TrainingError(
                f"manifest: patient {film.patient[:12]} is in both {home[film.patient]} and {film.split}; "
                "split by patient, or the figures mean nothing"
            )
    empty = [split for split in MEASURED if split not in home.values()]
    if empty:
        raise TrainingError(f"manifest: no film in split {empty[0]}; train, val and test each need some")
