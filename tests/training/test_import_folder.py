"""A folder per class: labels from folders, patients from names, splits by salted hash."""

import json
from pathlib import Path

import pytest

from tests.training.films import grey, save_dicom, save_picture, site_dicom
from training import manifest
from training.errors import TrainingError
from training.importers.folder import import_folder
from training.importers.split import Split
from training.importers.store import Imported

CLASSES = {"normal": ["NORMAL"], "abnormal": ["BACTERIA", "VIRUS"]}
SOURCE = {"name": "invented"}
PATIENT = r"(person\d+)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 patients, two films each, in the manner of the children's set: 10 normal, 20 abnormal."""
    for person in range(30):
        name = ("NORMAL", "BACTERIA", "VIRUS")[person % 3]
        for film in range(2):
            pixels = grey(10 * person + film, abnormal=name != "NORMAL")
            save_picture(tmp_path / "films" / name / f"person{person}_{film}.png", pixels)
    return tmp_path / "films"


def imported(folder: Path, target: Path, salt: str = "s", patient: str | None = PATIENT) -> Imported:
    return import_folder(folder, target, Split(salt), CLASSES, SOURCE, patient)


def test_labels_patients_and_splits(tmp_path: Path, folder: Path) -> None:
    data = imported(folder, tmp_path / "data").data
    assert manifest.read(tmp_path / "data") == data
    assert [sum(film.label == label for film in data.films) for label in ("normal", "abnormal")] == [20, 40]
    assert len({film.patient for film in data.films}) == 30
    assert {film.split for film in data.films} == {"train", "val", "test"}
    assert {(film.view, film.sex, film.age) for film in data.films} == {("", "", manifest.UNKNOWN_AGE)}
    assert "person" not in "".join(film.patient for film in data.films)


def test_splits_stay_as_data_grow(tmp_path: Path, folder: Path) -> None:
    before = {film.patient: film.split for film in imported(folder, tmp_path / "data").data.films}
    for person in range(30, 40):
        save_picture(folder / "NORMAL" / f"person{person}_0.png", grey(10 * person))
    after = {film.patient: film.split for film in imported(folder, tmp_path / "data").data.films}
    assert len(after) == 40
    assert before.items() <= after.items()


def test_another_salt_would_open_the_locked_test(tmp_path: Path, folder: Path) -> None:
    imported(folder, tmp_path / "data")
    with pytest.raises(TrainingError, match="another salt"):
        imported(folder, tmp_path / "data", salt="t")
    assert '"s"' not in (tmp_path / "data" / "source.json").read_text()


def test_a_patient_moved_by_hand_is_seen(tmp_path: Path, folder: Path) -> None:
    data = imported(folder, tmp_path / "data").data
    path = tmp_path / "data" / "manifest.csv"
    moved = data.split("val")[0].patient
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line.replace(",val,", ",train,") if moved in line else line for line in lines))
    with pytest.raises(TrainingError, match="moved between splits"):
        manifest.read(tmp_path / "data")


def test_what_cannot_be_used_is_left_out_with_its_reason(tmp_path: Path, folder: Path) -> None:
    (folder / "NORMAL" / "person91_0.png").write_bytes(b"not a picture")
    save_picture(folder / "NORMAL" / "person92_0.png", grey(1) * 0 + 7)
    save_picture(folder / "NORMAL" / "nobody.png", grey(930))
    save_picture(folder / "NORMAL" / "person0_again.png", grey(0))
    left = dict(imported(folder, tmp_path / "data").left_out)
    assert set(left) == {f"NORMAL/{name}.png" for name in ("person91_0", "person92_0", "nobody", "person0_again")}
    assert "one value" in left["NORMAL/person92_0.png"]
    assert "--patient" in left["NORMAL/nobody.png"]
    assert "same pixels" in left["NORMAL/person0_again.png"] or "same pixels" in left["NORMAL/person0_0.png"]


def test_suspects_are_named_and_kept(tmp_path: Path, folder: Path) -> None:
    save_picture(folder / "NORMAL" / "person95_0.png", 255 - grey(950))
    save_picture(folder / "NORMAL" / "person96_0.png", grey(960)[::-1, ::-1])
    found = imported(folder, tmp_path / "data")
    assert dict(found.suspects) == {"NORMAL/person95_0.png": "inverted?", "NORMAL/person96_0.png": "turned by 180°?"}
    assert len(found.data.films) == 62


def test_a_set_that_is_inverted_as_a_whole(tmp_path: Path, folder: Path) -> None:
    for path in folder.rglob("*.png"):
        number = int(path.stem.split("_")[0].removeprefix("person")) * 10 + int(path.stem[-1])
        save_picture(path, 255 - grey(number))
    assert imported(folder, tmp_path / "data").suspects[0][0] == "all films"


def test_dicom_files_bring_patient_view_and_age(tmp_path: Path, folder: Path) -> None:
    save_dicom(folder / "VIRUS" / "x.dcm", site_dicom(grey(970), "P7", "AP", "018M"))
    save_dicom(folder / "VIRUS" / "side.dcm", site_dicom(grey(980), "P7", "LL"))
    found = imported(folder, tmp_path / "data", patient=None)
    film = next(film for film in found.data.films if film.source_name == "VIRUS/x.dcm")
    assert (film.view, film.sex, film.age, film.findings) == ("AP", "M", 1, "VIRUS")
    assert found.left_out == [("VIRUS/side.dcm", "no film the service would assess: no frontal view, only lateral or oblique")]


@pytest.mark.parametrize(
    ("classes", "patient", "message"),
    [
        ({"normal": ["NORMAL"], "abnormal": ["PNEUMONIA"]}, None, "folders there: BACTERIA, NORMAL, VIRUS"),
        ({"normal": ["NORMAL"], "abnormal": ["NORMAL"]}, None, "one class"),
        (CLASSES, r"person\d+", "no group"),
        (CLASSES, "(", "no regular expression"),
        (CLASSES, "(nobody)", "none of 60 files can be used"),
    ],
)
def test_refusals(tmp_path: Path, folder: Path, classes: dict[str, list[str]], patient: str | None, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        import_folder(folder, tmp_path / "data", Split("s"), classes, SOURCE, patient)
    assert not (tmp_path / "data" / "manifest.csv").exists()


def test_the_frozen_digest_is_of_patients_and_splits(tmp_path: Path, folder: Path) -> None:
    data = imported(folder, tmp_path / "data").data
    source = json.loads((tmp_path / "data" / "source.json").read_text())
    assert source["splits_digest"] == manifest.splits_digest(data.films)


def test_what_is_passed_over_is_told(tmp_path: Path, folder: Path) -> None:
    save_picture(folder / "TUBERCULOSIS" / "person90_0.png", grey(900))
    (folder / "NORMAL" / "readme.txt").write_text("read me")
    (folder / "attribution.txt").write_text("thanks")
    classes, named = imported(folder, tmp_path / "data").notes
    assert classes == "not in a class: 1 files of TUBERCULOSIS, which neither --normal nor --abnormal names"
    assert named.startswith("passed over: 1 files in the classes' folders that do not end in .bmp, .dcm")


def test_suspects_of_train_may_be_left_out(tmp_path: Path, folder: Path) -> None:
    split, names = Split("s"), {"train": "", "test": ""}
    for person in range(100, 200):
        place = split.of(f"person{person}")
        if names.get(place) == "":
            names[place] = f"NORMAL/person{person}_0.png"
            save_picture(folder / names[place], 255 - grey(10 * person))
    kept = imported(folder, tmp_path / "data")
    assert dict(kept.suspects) == dict.fromkeys(names.values(), "inverted?")
    dropped = import_folder(folder, tmp_path / "data", split, CLASSES, SOURCE, PATIENT, drop_suspects=True)
    assert dropped.left_out == [(names["train"], "suspect in train: inverted?")]
    assert dropped.suspects == [(names["test"], "inverted?")], "what is measured on is not picked"
    assert len(kept.data.films) - len(dropped.data.films) == 1
    assert dropped.data.source["suspects"] == "1 left out of train"
    assert len(list((tmp_path / "data" / "dicom").iterdir())) == len(dropped.data.films), "its file is gone, too"
