"""What leaves with a film: its picture and what shows it; nothing that somebody typed."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from tests import films
from triage.imaging.deidentify import CODES, without_identity
from triage.imaging.preprocess import preprocess
from triage.imaging.preview import frame
from triage.imaging.spec import PreprocessingSpec

SECRET = "DOE.JANE4711"
FREE = ("SH", "LO", "ST", "LT", "UT", "UC", "PN", "UR")
TEXTS = sorted(tag for tag, (vr, *_) in DicomDictionary.items() if vr in FREE and tag >> 16 > 8)
WRITTEN = (*CODES, "PatientAge", "PhotometricInterpretation", "WindowCenter")
SPEC = PreprocessingSpec(height=32, width=32)


def film(**elements: object) -> Dataset:
    return dcmread(BytesIO(films.film(**elements)))


def lut() -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 16])
    item.add_new("LUTData", "OW", np.arange(0, 65536, 16, dtype="<u2").tobytes())
    return item


def encoded(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_the_picture_is_the_same_and_the_person_is_gone() -> None:
    whole = film(StudyDate="20200101", PatientSex="F", WindowCenter="2000", WindowWidth="4000", RescaleSlope="1")
    kept = without_identity(whole, "key")
    assert kept.PixelData == whole.PixelData
    np.testing.assert_array_equal(preprocess(kept, SPEC), preprocess(whole, SPEC))
    assert [kept.get(name) for name in ("BodyPartExamined", "ViewPosition", "PatientAge", "PatientSex")] == [
        *("CHEST", "PA", "045Y", "F")
    ]
    text = encoded(kept)
    for secret in (b"Doe", b"P-1", b"ACC-1", b"20200101", b"Chest", b"1.2.3"):
        assert secret not in text


def test_every_text_of_the_dictionary_stays_behind() -> None:
    whole = film()
    for tag in TEXTS:
        whole.add(DataElement(tag, DicomDictionary[tag][0], SECRET))
    item = lut()
    item.LUTExplanation = SECRET
    whole.VOILUTSequence = Sequence([item])
    whole.add_new(0x00291001, "LO", SECRET)
    assert len(TEXTS) > 500
    kept = without_identity(whole, "key")
    assert SECRET.encode() not in encoded(kept)
    np.testing.assert_array_equal(preprocess(kept, SPEC), preprocess(whole, SPEC))


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from((*CODES, "PatientAge", "PhotometricInterpretation", "WindowCenter")),
    st.text(st.characters(codec="latin-1", exclude_characters="\\\0"), max_size=64),
)
def test_a_sentence_in_a_code_is_lost(keyword: str, value: str) -> None:
    whole = film()
    whole[keyword] = DataElement(keyword, "LO", value)
    kept = str(without_identity(whole, "key").get(keyword, ""))
    assert len(kept) <= 16
    assert not set(kept) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ")


def test_uids_depend_on_the_key_only() -> None:
    one, other = film(), film(sop_uid="1.2.3.1.9", bright=0.5)
    assert without_identity(one, "k").SOPInstanceUID == without_identity(other, "k").SOPInstanceUID
    assert without_identity(one, "k").SOPInstanceUID != without_identity(one, "l").SOPInstanceUID


@pytest.mark.parametrize(("value", "view"), [("399348003", "AP"), ("272479007", "PA"), ("399173006", None)])
def test_a_view_that_only_a_code_states_is_kept_if_frontal(value: str, view: str | None) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", SECRET
    whole = film(view=None)
    whole.ViewCodeSequence = Sequence([item])
    kept = without_identity(whole, "key")
    assert kept.get("ViewPosition") == view
    assert SECRET.encode() not in encoded(kept)


def test_an_implicit_file_keeps_its_luts_and_padding() -> None:
    explicit = film(PixelPaddingValue=7, VOILUTSequence=Sequence([lut()]), rows=32, columns=32)
    stream = BytesIO()
    explicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    explicit.save_as(stream, implicit_vr=True, little_endian=True, enforce_file_format=True)
    whole = dcmread(BytesIO(stream.getvalue()))
    kept = dcmread(BytesIO(encoded(without_identity(whole, "key"))))
    assert {"PixelPaddingValue", "VOILUTSequence", "PixelData"} <= {element.keyword for element in kept}
    np.testing.assert_array_equal(preprocess(kept, SPEC), preprocess(whole, SPEC))


def test_what_a_shutter_hides_stays_hidden() -> None:
    whole = film(rows=40, columns=40, ImagerPixelSpacing=[0.3, 0.1], PixelData=np.arange(1600, dtype="<u2").tobytes())
    whole.ShutterShape = ["RECTANGULAR", "CIRCULAR", "POLYGONAL"]
    whole.ShutterLeftVerticalEdge, whole.ShutterRightVerticalEdge = 5, 36
    whole.ShutterUpperHorizontalEdge, whole.ShutterLowerHorizontalEdge = 3, 30
    whole.CenterOfCircularShutter, whole.RadiusOfCircularShutter = [20, 20], 17
    whole.VerticesOfThePolygonalShutter = [1, 1, 1, 40, 40, 33, 40, 9]
    kept = without_identity(whole, "key")
    np.testing.assert_array_equal(frame(kept).values, frame(whole).values)
    assert 100 < (frame(kept).values == 0).sum() < 1500
