"""DICOM files and a table: pixels come over untouched, names and descriptions stay behind."""

import csv
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from tests.training.films import grey, save_dicom, site_dicom
from training import manifest
from training.errors import TrainingError
from training.importers.dicom import import_dicom
from training.importers.entry import Entry, described
from training.importers.read import UnreadableError
from training.importers.split import Split
from training.importers.wrap import film_dataset
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

FILMS = 24


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    """Two films a patient in ``films/``, and the rows of their table."""
    rows = []
    for number in range(FILMS):
        dataset = site_dicom(grey(number), f"MRN{number // 2}", ("PA", "AP")[number % 2])
        name = f"{number // 10}/{number}.dcm"
        save_dicom(tmp_path / "films" / name, dataset)
        label = ("normal", "abnormal")[number // 2 % 2]
        rows.append({"file": name, "label": label, "radiologist_label": label if number % 3 == 0 else "", "pool": "ward"})
    return rows


def test_films_are_anonymous_and_their_pixels_untouched(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    table = write_table(tmp_path / "labels.csv", rows)
    data = import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"}).data
    assert manifest.read(tmp_path / "data") == data
    film = data.films[3]
    kept, original = dcmread(data.dicom(film)), dcmread(tmp_path / "films" / film.source_name)
    spec = PreprocessingSpec(height=32, width=32)
    np.testing.assert_array_equal(preprocess(kept, spec), preprocess(original, spec))
    text = data.dicom(film).read_bytes()
    for secret in (b"Doe", b"MRN", b"effusion", b"20200101", original.SOPInstanceUID.encode()):
        assert secret not in text
    assert (film.view, film.sex, film.age, film.pool, film.label_source) == ("AP", "M", 45, "ward", "radiologist")
    assert len({film.patient for film in data.films}) == FILMS // 2
    assert "MRN" not in (tmp_path / "data" / "manifest.csv").read_text()


def test_rows_may_name_films_by_uid(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    by_uid = [
        {"sop_instance_uid": dcmread(tmp_path / "films" / row["file"]).SOPInstanceUID, "label": row["label"]} for row in rows
    ]
    table = write_table(tmp_path / "labels.csv", [*by_uid, {"sop_instance_uid": "1.2.3", "label": "normal"}])
    found = import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"})
    assert len(found.data.films) == FILMS
    assert found.left_out == [("1.2.3", "file is missing")]


def test_files_that_give_no_film(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    (tmp_path / "films" / "page.dcm").write_text("<html>not found</html>")
    nobody = site_dicom(grey(90), "")
    save_dicom(tmp_path / "films" / "nobody.dcm", nobody)
    more = [{**rows[0], "file": name} for name in ("page.dcm", "nobody.dcm")]
    table = write_table(tmp_path / "labels.csv", rows + more)
    left = dict(import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"}).left_out)
    assert left["page.dcm"].startswith("no DICOM file")
    assert left["nobody.dcm"] == "no Patient ID; add a column patient"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "benign"}, "row 2: label 'benign' is neither normal nor abnormal"),
        ({"label": ""}, "row 2: label '' is neither"),
        ({"file": "0/1.dcm"}, "row 3: '0/1.dcm' is empty, occurs twice"),
        ({"file": "./0/1.dcm"}, "row 3: '0/1.dcm' is empty, occurs twice"),
        ({"file": "../../etc/passwd"}, "lies outside"),
    ],
)
def test_a_table_with_a_fault(tmp_path: Path, rows: list[dict[str, str]], change: dict[str, str], message: str) -> None:
    table = write_table(tmp_path / "labels.csv", [rows[0] | change, *rows[1:]])
    with pytest.raises(TrainingError, match=message):
        import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"})


def test_a_table_without_the_columns(tmp_path: Path) -> None:
    table = write_table(tmp_path / "labels.csv", [{"name": "x", "label": "normal"}])
    with pytest.raises(TrainingError, match="needs rows, a column file or sop_instance_uid, and label"):
        import_dicom(tmp_path, table, tmp_path / "data", Split("s"), {"name": "site"})


def test_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\n")
    with pytest.raises(TrainingError, match="needs rows"):
        import_dicom(tmp_path, tmp_path / "labels.csv", tmp_path / "data", Split("s"), {"name": "site"})


def test_the_table_may_state_the_split(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    given = [row | {"split": ("train", "val", "test")[number // 2 % 3]} for number, row in enumerate(rows)]
    table = write_table(tmp_path / "labels.csv", given)
    data = import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"}).data
    assert {film.source_name: film.split for film in data.films} == {row["file"]: row["split"] for row in given}
    assert data.source["split"]["by"] == "the source"
    write_table(tmp_path / "labels.csv", [*given[:-1], given[-1] | {"split": "train"}])
    with pytest.raises(TrainingError, match="is in both"):
        import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"})
    write_table(tmp_path / "labels.csv", [*given[:-1], given[-1] | {"split": ""}])
    with pytest.raises(TrainingError, match="row 25: split '' is none of train, val, test"):
        import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"})


@pytest.mark.parametrize("by", ["file", "sop_instance_uid"])
def test_files_without_a_row_are_told(tmp_path: Path, rows: list[dict[str, str]], by: str) -> None:
    left = rows[:-2]
    if by == "sop_instance_uid":
        left = [{by: dcmread(tmp_path / "films" / row["file"]).SOPInstanceUID, "label": row["label"]} for row in left]
    (tmp_path / "films" / "notes.txt").write_text("no DICOM file")
    table = write_table(tmp_path / "films" / "labels.csv", left)
    found = import_dicom(tmp_path / "films", table, tmp_path / "data", Split("s"), {"name": "site"})
    assert found.notes == [f"not in the table: 2 DICOM files, such as {rows[-2]['file']}"]


def test_what_the_service_would_not_assess_is_left_out() -> None:
    hand = film_dataset(np.zeros((8, 8), np.uint8), sop_instance_uid="1", study_instance_uid="2", series_instance_uid="3")
    hand.BodyPartExamined = "HAND"
    with pytest.raises(UnreadableError, match="no film the service would assess"):
        described(Entry(name="hand", patient="1", text_label="normal"), hand)
