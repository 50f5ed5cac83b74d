"""The NIH importer: pictures become DICOM films, one manifest, nothing that tells the label."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from tests.training.conftest import write_nih_folder
from training import manifest
from training.errors import TrainingError
from training.importers.nih import import_nih


def test_films_keep_their_grey_values_and_hide_label_and_patient(tmp_path: Path, nih_folder: Path) -> None:
    data = import_nih(nih_folder, tmp_path / "data", salt="s").data
    assert manifest.read(tmp_path / "data") == data
    film = data.split("train")[1]
    dataset = dcmread(data.dicom(film))
    with Image.open(nih_folder / "images_512" / film.source_name) as picture:
        grey = np.asarray(picture)
    assert dataset.PixelData == grey.tobytes()
    assert (dataset.ViewPosition, dataset.PatientAge, dataset.PatientSex) == ("PA", "021Y", "F")
    assert "abnormal" not in str(dataset).lower()
    assert film.patient != film.source_name
    assert len(film.patient) == 64


def test_the_salt_decides_the_patient_keys_and_nothing_else(tmp_path: Path, nih_folder: Path) -> None:
    one, other = (import_nih(nih_folder, tmp_path / salt, salt=salt).data for salt in ("one", "other"))
    assert [film.digest for film in one.films] == [film.digest for film in other.films]
    assert not {film.patient for film in one.films} & {film.patient for film in other.films}


def test_a_further_folder_is_for_training_only_and_adds_no_film_twice(tmp_path: Path, nih_folder: Path) -> None:
    more = write_nih_folder(tmp_path / "more", films=30)
    (more / "images_512").rename(more / "images")
    with (more / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (more / "labels.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [name for name in rows[0] if name not in ("pool", "split")], extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    data = import_nih(nih_folder, tmp_path / "data", "s", [more]).data
    assert len(data.films) == 30
    assert {film.split for film in data.films[24:]} == {"train"}


def test_a_picture_that_is_missing_is_named(tmp_path: Path, nih_folder: Path) -> None:
    (nih_folder / "images_512" / "00000003_000.png").unlink()
    with pytest.raises(TrainingError, match=r"00000003_000\.png"):
        import_nih(nih_folder, tmp_path / "data", "s")


def test_rgba_pictures_are_read(tmp_path: Path, nih_folder: Path) -> None:
    path = nih_folder / "images_512" / "00000000_000.png"
    with Image.open(path) as picture:
        grey = np.asarray(picture)
        picture.convert("RGBA").save(path)
    data = import_nih(nih_folder, tmp_path / "data", "s").data
    assert dcmread(data.dicom(data.films[0])).PixelData == grey.tobytes()
