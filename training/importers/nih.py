"""NIH ChestX-ray14: ``labels.csv`` and a folder of PNG pictures → a data set of DICOM films."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.filewriter import dcmwrite
from pydicom.uid import generate_uid

from training import manifest, progress
from training.errors import TrainingError
from training.importers.wrap import film_dataset

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


def import_nih(folder: Path, target: Path, salt: str, more: Sequence[Path] = ()) -> manifest.DataSet:
    """Wrap every picture as DICOM under ``target`` and write the manifest there.

    ``salt`` is hashed with NIH's patient number into the patient key; the split is the one that ``labels.csv`` states,
    ``train`` where it states none. ``more``: further folders of the same form; a film that occurred before is left out.

    Raises:
        TrainingError: ``labels.csv`` or a picture is missing or unreadable, or the manifest is refused.
    """
    (target / "dicom").mkdir(parents=True, exist_ok=True)
    rows: dict[str, tuple[Path, dict[str, str]]] = {}
    for place in (folder, *more):
        for row in _rows(place / "labels.csv"):
            rows.setdefault(row["file"], (place, row))
    films = [
        _film(row, _picture(place, row["file"]), target / "dicom", salt)
        for place, row in progress.track(list(rows.values()), "importing")
    ]
    return manifest.write(target, films, SOURCE)


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


def _film(row: dict[str, str], picture: Path, dicom: Path, salt: str) -> manifest.Film:
    stem = f"nih/{row['file']}"
    dataset = film_dataset(
        _grey(picture),
        sop_instance_uid=generate_uid(entropy_srcs=[stem, "instance"]),
        study_instance_uid=generate_uid(entropy_srcs=[stem, "study"]),
        series_instance_uid=generate_uid(entropy_srcs=[stem, "series"]),
        view=row["view"],
        age_years=int(row["age"]),
        sex=row["sex"],
    )
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, enforce_file_format=True)
    digest = sha256(encoded.getvalue()).hexdigest()
    (dicom / f"{digest}.dcm").write_bytes(encoded.getvalue())
    return manifest.Film(
        digest=digest,
        source_name=row["file"],
        patient=sha256(f"{salt}/{row['patient_id']}".encode()).hexdigest(),
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


def _grey(picture: Path) -> NDArray[np.uint8]:
    """The picture's grey values; some of NIH's files are RGBA with four equal-valued channels."""
    try:
        with Image.open(picture) as image:
            return np.asarray(image.convert("L"), dtype=np.uint8)
    except OSError as error:
        raise TrainingError(f"{picture}: unreadable picture ({error}); fetch it again or drop its row") from None


def summary(data: manifest.DataSet) -> list[dict[str, Any]]:
    """Counts per split, for people: films, patients, labels by source, views."""
    lines = []
    for split in manifest.SPLITS:
        films = data.split(split)
        text, radiologist = (Counter(getattr(film, f"{who}_label") for film in films) for who in ("text", "radiologist"))
        lines.append(
            {
                "split": split,
                "films": len(films),
                "patients": len({film.patient for film in films}),
                "text_abnormal": text["abnormal"],
                "radiologist": len(films) - radiologist[""],
                "radiologist_abnormal": radiologist["abnormal"],
                "PA": sum(film.view == "PA" for film in films),
                "AP": sum(film.view == "AP" for film in films),
            }
        )
    return lines
