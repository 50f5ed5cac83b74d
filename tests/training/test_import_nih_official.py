"""ChestX-ray14 as NIH delivers it: Data_Entry_2017*.csv, numbered folders, two lists; some PNG files with four channels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from tests.training.conftest import write_nih_folder
from tests.training.films import grey, save_picture
from training import manifest
from training.errors import TrainingError
from training.importers import nih_tables
from training.importers.nih import import_nih
from training.importers.split import Split
from training.importers.store import Imported
from training.importers.wrap import grey_of

HEAD = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient {sex},View Position"
HEAD += ",OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
PATIENTS = 15
AGES = {1: "414", 2: "413Y", 3: "011M", 4: "", 5: "100"}


def name(patient: int, followup: int) -> str:
    return f"{patient:08d}_{followup:03d}.png"


def row(patient: int, followup: int, age: str) -> str:
    findings = ("No Finding", "Cardiomegaly|Emphysema", "Hernia")[patient % 3]
    view = ("PA", "AP")[followup]
    return f"{name(patient, followup)},{findings},{followup},{patient},{age},{'FM'[patient % 2]},{view},2682,2749,0.143,0.143"


def write(folder: Path, oldest: bool = False) -> Path:
    """Two films a patient in ``images_001`` and ``images_002``; the oldest edition writes 058Y and ends lines in a comma."""
    lines = [HEAD.format(sex="Gender" if oldest else "Sex") + ("," if oldest else "")]
    names = []
    for patient in range(1, PATIENTS + 1):
        for followup in range(2):
            age = AGES.get(patient, f"{40 + patient:03d}Y" if oldest else str(40 + patient))
            lines.append(row(patient, followup, age) + ("," if oldest else ""))
            names.append(name(patient, followup))
            save_picture(folder / f"images_{followup + 1:03d}" / "images" / names[-1], grey(2 * patient + followup))
    table = "Data_Entry_2017.csv" if oldest else "Data_Entry_2017_v2020.csv"
    (folder / table).write_text("\n".join(lines) + "\n")
    (folder / "train_val_list.txt").write_text("\n".join(names[:20]))
    (folder / "test_list.txt").write_text("\n".join(names[20:]) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "nih")


def films(imported: Imported) -> dict[str, manifest.Film]:
    return {film.source_name: film for film in imported.data.films}


@pytest.mark.parametrize("oldest", [False, True])
def test_both_editions_of_the_table(tmp_path: Path, oldest: bool) -> None:
    found = films(import_nih(write(tmp_path / "nih", oldest), tmp_path / "data", "s"))
    assert len(found) == 2 * PATIENTS
    ages = {patient: found[name(patient, 0)].age for patient in (1, 2, 3, 4, 5, 6)}
    unknown = manifest.UNKNOWN_AGE
    assert ages == {1: unknown, 2: unknown, 3: 0, 4: unknown, 5: 100, 6: 46}
    film = found[name(7, 1)]
    assert (film.view, film.sex, film.text_label, film.findings) == ("AP", "M", "abnormal", "Cardiomegaly|Emphysema")
    assert (found[name(6, 0)].text_label, found[name(6, 0)].findings) == ("normal", "")


def test_the_lists_decide_test_and_the_rest_goes_by_patient(tmp_path: Path, folder: Path) -> None:
    imported = import_nih(folder, tmp_path / "data", "s")
    split = {(film.source_name[:8], film.split) for film in imported.data.films}
    assert len(split) == PATIENTS, "a patient is in one split"
    assert {patient for patient, where in split if where == "test"} == {f"{patient:08d}" for patient in range(11, 16)}
    rule = Split("s")
    assert all(where == rule.of_rest(str(int(patient))) for patient, where in split if where != "test")
    assert manifest.read(tmp_path / "data").source["split"]["by"].startswith("official test list")


def test_the_share_of_val_in_the_rest_is_that_of_the_whole() -> None:
    places = [Split("s").of_rest(str(number)) for number in range(4000)]
    assert places.count("val") / len(places) == pytest.approx(0.15 / 0.85, abs=0.02)


def test_without_lists_by_patient_hash(tmp_path: Path, folder: Path) -> None:
    found = films(import_nih(folder, tmp_path / "data", "a", lists=False))
    assert all(film.split == Split("a").of(str(int(name[:8]))) for name, film in found.items())
    with pytest.raises(TrainingError, match="another salt or another rule"):
        import_nih(folder, tmp_path / "data", "a", lists=True)


def test_lists_that_do_not_fit(tmp_path: Path, folder: Path) -> None:
    lines = (folder / "test_list.txt").read_text().splitlines()
    (folder / "test_list.txt").write_text("\n".join(lines[1:]))
    assert import_nih(folder, tmp_path / "data", "s").left_out == [(lines[0], "in neither of NIH's lists")]
    (folder / "test_list.txt").write_text("\n".join([*lines, name(1, 0)]))
    with pytest.raises(TrainingError, match=rf"{name(1, 0)} is in both"):
        import_nih(folder, tmp_path / "data", "s")
    (folder / "test_list.txt").unlink()
    with pytest.raises(TrainingError, match=r"test_list\.txt is missing; fetch it, or give --no-lists"):
        import_nih(folder, tmp_path / "data", "s")


def test_a_patient_in_both_lists_is_refused(tmp_path: Path, folder: Path) -> None:
    swapped = [(folder / which).read_text().split() for which in ("train_val_list.txt", "test_list.txt")]
    moved = swapped[0].pop()
    (folder / "train_val_list.txt").write_text("\n".join(swapped[0]))
    (folder / "test_list.txt").write_text("\n".join([*swapped[1], moved]))
    with pytest.raises(TrainingError, match="is in both"):
        import_nih(folder, tmp_path / "data", "s")
    assert not (tmp_path / "data" / "manifest.csv").exists()


def test_a_partial_download(tmp_path: Path, folder: Path) -> None:
    missing, cut = folder / "images_001" / "images" / name(2, 0), folder / "images_002" / "images" / name(3, 1)
    missing.unlink()
    with pytest.raises(TrainingError, match=rf"{name(2, 0)} is missing \(1 of 30 pictures; .*--only-present"):
        import_nih(folder, tmp_path / "data", "s")
    assert not (tmp_path / "data").exists(), "told before anything is written"
    cut.write_bytes(cut.read_bytes()[:900])
    imported = import_nih(folder, tmp_path / "data", "s", only_present=True)
    assert dict(imported.left_out) == {name(2, 0): "file is missing", name(3, 1): "no picture that can be read (OSError)"}
    assert len(imported.data.films) == 28
    save_picture(missing, grey(4))
    with pytest.raises(TrainingError, match=rf"{name(3, 1)}.*--only-present"):
        import_nih(folder, tmp_path / "data", "s")


def test_radiologists_labels(tmp_path: Path, folder: Path) -> None:
    table = tmp_path / "radiologists.csv"
    table.write_text(f"file,label,source\n{name(1, 0)},normal,rsna\n{name(2, 0)},abnormal,\n00099999_000.png,normal,tang\n")
    imported = import_nih(folder, tmp_path / "data", "s", radiologist=table)
    found = films(imported)
    assert (found[name(1, 0)].label, found[name(1, 0)].radiologist_source) == ("normal", "rsna")
    assert (found[name(2, 0)].label_source, found[name(2, 0)].radiologist_source) == ("radiologist", "table")
    assert found[name(1, 1)].label_source == "text"
    assert imported.notes == ["radiologists' labels of films that are in no table: 1, such as 00099999_000.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,normal\n", "no column 'source'"),
        ("file,label,source\na.png,healthy,x\n", "row 2: 'a.png', 'healthy'"),
        ("file,label,source\na.png,normal,x\na.png,normal,y\n", "row 3"),
        ("", "no column 'file' or no row"),
    ],
)
def test_a_table_of_radiologists_with_a_fault(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(TrainingError, match=message):
        nih_tables.radiologists(tmp_path / "r.csv")


def test_pictures_without_a_row_are_told(tmp_path: Path, folder: Path) -> None:
    save_picture(folder / "images_002" / "images" / "00000077_000.png", grey(770))
    (note,) = import_nih(folder, tmp_path / "data", "s").notes
    assert note.endswith("Data_Entry_2017_v2020.csv: 1 pictures")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_in_several_channels_comes_over_exactly(tmp_path: Path, mode: str) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = Image.fromarray(ramp).convert(mode)
    if mode.endswith("A"):
        picture.putalpha(Image.fromarray(ramp[::-1]))
    picture.save(tmp_path / "x.png")
    np.testing.assert_array_equal(grey_of(tmp_path / "x.png"), ramp)


def test_an_rgba_film_of_the_delivery(tmp_path: Path, folder: Path) -> None:
    path = folder / "images_001" / "images" / name(4, 0)
    with Image.open(path) as picture:
        picture.convert("RGBA").save(path)
    imported = import_nih(folder, tmp_path / "data", "s")
    assert dcmread(imported.data.dicom(films(imported)[name(4, 0)])).PixelData == grey(8).tobytes()


def test_neither_table(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"neither labels\.csv nor Data_Entry_2017\*\.csv"):
        import_nih(tmp_path, tmp_path / "data", "s")


def test_a_labels_table_with_a_fault_names_the_row(tmp_path: Path) -> None:
    path = write_nih_folder(tmp_path / "own") / "labels.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3].replace(",22,", ",old,"), *lines[4:]]))
    with pytest.raises(TrainingError, match=r"labels\.csv row 4: age or reference_p is not a number"):
        import_nih(tmp_path / "own", tmp_path / "data", "s")
    with pytest.raises(TrainingError, match="states the splits itself; leave --lists out"):
        import_nih(tmp_path / "own", tmp_path / "data", "s", lists=True)
