"""Open-i: index terms become labels, lateral films stay out."""

from pathlib import Path

import pytest

from tests.training.films import grey, save_dicom, save_picture, site_dicom
from training.errors import TrainingError
from training.importers.openi import import_openi
from training.importers.split import Split

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
  <meta type="rr"/>
  <uId id="CXR{number}"/>
  <MedlineCitation Owner="Indiana University" Status="supplied by publisher">
    <Article PubModel="Electronic"><Abstract>
      <AbstractText Label="FINDINGS">Invented.</AbstractText>
      <AbstractText Label="IMPRESSION">Invented.</AbstractText>
    </Abstract></Article>
  </MedlineCitation>
  <MeSH>{terms}<automatic>cardiomegaly</automatic></MeSH>
  <parentImage id="CXR{number}_IM-0001-1001"><figureId>F1</figureId><caption>PA and Lateral</caption></parentImage>
  <parentImage id="CXR{number}_IM-0001-2001"><figureId>F2</figureId><caption>PA and Lateral</caption></parentImage>
</eCitation>
"""
TERMS = (
    "<major>normal</major>",
    "<major>Cardiomegaly/borderline</major><major>Opacity/lung/base/left  </major>",
    "<major>Technical Quality of Image Unsatisfactory </major><major>normal</major>",
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """24 reports with a frontal and a lateral picture each."""
    lines = ["uid,filename,projection"]
    for number in range(1, 25):
        (tmp_path / "reports").mkdir(exist_ok=True)
        report = REPORT.format(number=number, terms=TERMS[number % 3])
        (tmp_path / "reports" / f"{number}.xml").write_text(report)
        for view, projection in ((1001, "Frontal"), (2001, "Lateral")):
            save_picture(tmp_path / "png" / f"CXR{number}_IM-0001-{view}.png", grey(10 * number + view))
            lines.append(f"{number},{number}_IM-0001-{view}.dcm.png,{projection}")
    (tmp_path / "projections.csv").write_text("\n".join(lines))
    return tmp_path


def test_frontal_films_with_the_labels_of_their_reports(archive: Path) -> None:
    found = import_openi(archive / "reports", archive / "png", archive / "data", Split("s"), archive / "projections.csv")
    labels = {film.source_name: film.text_label for film in found.data.films}
    assert len(labels) == 24
    assert labels["CXR3_IM-0001-1001"] == "normal"
    assert labels["CXR4_IM-0001-1001"] == "abnormal"
    assert labels["CXR5_IM-0001-1001"] == "normal"
    film = next(film for film in found.data.films if film.source_name == "CXR4_IM-0001-1001")
    assert film.findings == "Cardiomegaly/borderline|Opacity/lung/base/left"
    assert {reason for _, reason in found.left_out} == {"lateral projection: frontal films only"}


def test_reports_that_say_nothing(archive: Path) -> None:
    (archive / "reports" / "1.xml").write_text("<eCitation>")
    (archive / "reports" / "2.xml").write_text(REPORT.format(number=2, terms="<major>No Indexing</major>"))
    (archive / "png" / "CXR3_IM-0001-1001.png").unlink()
    found = import_openi(archive / "reports", archive / "png", archive / "data", Split("s"), archive / "projections.csv")
    left = dict(found.left_out)
    assert left["1.xml"].startswith("no report that can be read")
    assert left["CXR2_IM-0001-1001"] == "the report has no index term"
    assert left["CXR3_IM-0001-1001"] == "file is missing"


def test_dicom_files_say_themselves_which_is_lateral(archive: Path) -> None:
    for number in range(1, 25):
        for code, view in ((1001, "PA"), (2001, "LL")):
            film = site_dicom(grey(10 * number + code), f"P{number}", view)
            save_dicom(archive / "dcm" / str(number) / f"{number}_IM-0001-{code}.dcm", film)
    found = import_openi(archive / "reports", archive / "dcm", archive / "data", Split("s"))
    assert len(found.data.films) == 24
    assert {(film.view, film.age) for film in found.data.films} == {("PA", 45)}


def test_pictures_of_unknown_projection_are_not_taken(archive: Path) -> None:
    with pytest.raises(TrainingError, match="give a table with --projections"):
        import_openi(archive / "reports", archive / "png", archive / "data", Split("s"))
    with pytest.raises(TrainingError, match=r"no report \(\*\.xml\)"):
        import_openi(archive / "png", archive / "png", archive / "data", Split("s"))


def test_pictures_that_no_report_names_are_told(archive: Path) -> None:
    save_picture(archive / "png" / "CXR99_IM-0001-1001.png", grey(9900))
    found = import_openi(archive / "reports", archive / "png", archive / "data", Split("s"), archive / "projections.csv")
    assert found.notes == ["in no report: 1 pictures"]
