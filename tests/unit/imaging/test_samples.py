"""The films that ship: sound, neutral, and each as its README says."""

import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.codecs import decode_frame
from triage.imaging.eligibility import examine
from triage.imaging.header import read_dataset, read_header
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

FOLDER = Path(__file__).resolve().parents[3] / "sample_dicom"
ORIGINALS = FOLDER.parents[1] / "shared" / "data" / "nih" / "originals_1024"
ORIGINS = json.loads((FOLDER / "origins.json").read_text(encoding="utf-8"))
BY_NAME = {origin["file"]: origin for origin in ORIGINS}
FILMS = [name for name, origin in BY_NAME.items() if origin["kind"] == "film"]
TELLING = re.compile(r"abnormal|normal|finding|pneumo|effusion|infiltrat|opacity|nodule|mass|edema|cardiomegaly", re.IGNORECASE)


def read(name):
    with (FOLDER / name).open("rb") as stream:
        return read_dataset(stream)


def test_the_folder_holds_what_the_table_says():
    assert sorted(path.name for path in FOLDER.glob("*.dcm")) == sorted(BY_NAME)
    assert len(BY_NAME) == 19
    assert sorted(origin["text_label"] for origin in ORIGINS if origin["kind"] == "film") == ["abnormal"] * 8 + ["normal"] * 8
    assert len({origin["study_instance_uid"] for origin in ORIGINS}) == 19
    films = [BY_NAME[name] for name in FILMS]
    assert {film["view"] for film in films} == {"PA", "AP"}
    assert {film["modality"] for film in films} == {"DX", "CR"}
    assert {film["bits_stored"] for film in films} == {8, 12}
    assert {film["photometric_interpretation"] for film in films} == {"MONOCHROME1", "MONOCHROME2"}
    assert len({film["transfer_syntax_uid"] for film in films}) == 3


@pytest.mark.parametrize("name", BY_NAME)
def test_digest_and_size(name):
    data = (FOLDER / name).read_bytes()
    assert sha256(data).hexdigest() == BY_NAME[name]["sha256"]
    assert f"{BY_NAME[name]['sha256']}  {name}" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(data) < 2 << 20


@pytest.mark.parametrize("name", BY_NAME)
def test_no_attribute_tells_what_the_film_shows(name):
    assert not TELLING.search(str(dcmread(FOLDER / name, stop_before_pixels=True)))


@pytest.mark.parametrize("name", BY_NAME)
def test_the_header_can_be_listed(name):
    with (FOLDER / name).open("rb") as stream:
        facts = read_header(stream).facts
    assert all((facts.patient_name, facts.patient_id, facts.accession_number, facts.patient_birth_date, facts.view))


@pytest.mark.parametrize("name", FILMS)
def test_a_film_passes_the_gate_and_makes_a_tensor(name):
    dataset = read(name)
    assert examine(dataset, 16) is None
    tensor = preprocess(dataset, PreprocessingSpec())
    assert 0.1 < tensor.mean() < 0.9


@pytest.mark.training
@pytest.mark.parametrize("name", FILMS)
def test_however_it_is_delivered_the_tensor_is_that_of_the_picture_nih_released(name):
    """Depth, window, polarity and transfer syntax leave no trace."""
    if not ORIGINALS.is_dir():
        pytest.skip("the folder ../shared/data/nih of NIH's films is not here")
    wrap = pytest.importorskip("training.importers.wrap")
    picture = wrap.grey_of(ORIGINALS / BY_NAME[name]["nih_file"])
    plain = wrap.film_dataset(picture, sop_instance_uid="1", study_instance_uid="2", series_instance_uid="3")
    assert np.abs(preprocess(plain, PreprocessingSpec()) - preprocess(read(name), PreprocessingSpec())).max() <= 1e-6


@pytest.mark.parametrize(
    ("kind", "reason"), [("lateral_tag", Reason.LATERAL_VIEW), ("paediatric_tag", Reason.PAEDIATRIC), ("damaged", None)]
)
def test_special_films_are_turned_down_for_their_reason(kind, reason):
    (name,) = [name for name, origin in BY_NAME.items() if origin["kind"] == kind]
    dataset = read(name)
    assert examine(dataset, 16) is reason
    if kind == "damaged":
        with pytest.raises(PixelError) as caught:
            decode_frame(dataset)
        assert caught.value.reason is Reason.CANNOT_DECODE
