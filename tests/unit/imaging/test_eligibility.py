"""Tags exclude, for the stated reason; nothing in a header makes the gate fail."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from triage.domain.reason import Reason
from triage.imaging.elements import keep_quiet
from triage.imaging.eligibility import RULES, examine, view_of

CR, SECONDARY, CT = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.2"


def concept(value, meaning, scheme="SCT"):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


LATERAL = concept("399173006", "left lateral")

CASES = [
    # the intended population
    ({}, None),
    ({"ViewPosition": "AP"}, None),
    ({"ViewPosition": None, "BodyPartExamined": None, "PatientAge": None}, None),
    ({"SOPClassUID": CR, "Modality": "CR"}, None),
    ({"BodyPartExamined": "Thorax"}, None),
    ({"BodyPartExamined": "LUNG"}, None),
    ({"BodyPartExamined": "UNKNOWN"}, None),
    ({"SOPClassUID": SECONDARY, "Modality": "CR"}, None),
    ({"BodyPartExamined": "SKULL", "AnatomicRegionSequence": concept("51185008", "Thorax")}, None),
    ({"AnatomicRegionSequence": concept("T-D3000", "Brust", "SRT"), "BodyPartExamined": None}, None),
    ({"PatientSpeciesDescription": "Homo sapiens"}, None),
    # a description is no evidence of anything
    ({"StudyDescription": "PNEUMONIA", "SeriesDescription": "lateral hand of a child", "ProtocolName": "SPINE"}, None),
    # no chest radiograph
    ({"BodyPartExamined": "HAND"}, Reason.NOT_A_CHEST_FILM),
    ({"BodyPartExamined": "TSPINE"}, Reason.NOT_A_CHEST_FILM),
    ({"BodyPartExamined": "THORACIC SPINE"}, Reason.NOT_A_CHEST_FILM),
    ({"BodyPartExamined": None, "AnatomicRegionSequence": concept("122495006", "Thoracic spine")}, Reason.NOT_A_CHEST_FILM),
    ({"SOPClassUID": CT, "Modality": "CT"}, Reason.NOT_A_CHEST_FILM),
    ({"SOPClassUID": CR, "Modality": "MG"}, Reason.NOT_A_CHEST_FILM),
    ({"SOPClassUID": None}, Reason.NOT_A_CHEST_FILM),
    ({"SOPClassUID": SECONDARY, "Modality": "OT"}, Reason.NOT_A_CHEST_FILM),
    ({"SOPClassUID": SECONDARY, "Modality": "DX", "BodyPartExamined": None}, Reason.NOT_A_CHEST_FILM),
    ({"PatientSpeciesDescription": "Canis lupus"}, Reason.NOT_A_CHEST_FILM),
    ({"PatientSpeciesCodeSequence": concept("L-80700", "Canine", "SRT")}, Reason.NOT_A_CHEST_FILM),
    # not one grey frame
    ({"NumberOfFrames": 2}, Reason.MULTI_FRAME),
    ({"NumberOfFrames": 1}, None),
    ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, Reason.NOT_GRAYSCALE),
    ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.NOT_GRAYSCALE),
    # a child
    ({"PatientAge": "015Y"}, Reason.PAEDIATRIC),
    ({"PatientAge": "016Y"}, None),
    ({"PatientAge": "018M"}, Reason.PAEDIATRIC),
    ({"PatientAge": "200M"}, None),
    ({"PatientAge": "005D"}, Reason.PAEDIATRIC),
    ({"PatientAge": "099W"}, Reason.PAEDIATRIC),
    ({"PatientAge": None, "PatientBirthDate": "20101124", "StudyDate": "20261123"}, Reason.PAEDIATRIC),
    ({"PatientAge": None, "PatientBirthDate": "20101123", "StudyDate": "20261123"}, None),
    ({"PatientAge": "", "PatientBirthDate": "20200101", "StudyDate": "20261123"}, Reason.PAEDIATRIC),
    ({"PatientAge": None, "PatientBirthDate": "20301123", "StudyDate": "20261123"}, None),
    # not frontal
    *[({"ViewPosition": view}, Reason.LATERAL_VIEW) for view in ("LL", "RL", "LLAT", "LAT", "Lateral", "LAO", "RLO", "LLD")],
    ({"ViewPosition": None, "ViewCodeSequence": LATERAL}, Reason.LATERAL_VIEW),
    ({"ViewPosition": "AP", "ViewCodeSequence": LATERAL}, Reason.LATERAL_VIEW),
    ({"ViewPosition": None, "ViewCodeSequence": concept("X1", "Left oblique", "99LOCAL")}, Reason.LATERAL_VIEW),
    ({"ViewPosition": None, "ViewCodeSequence": concept("R-10206", "antero-posterior", "SRT")}, None),
    # the order of the rules
    ({"ViewPosition": "LL", "PatientAge": "003Y"}, Reason.PAEDIATRIC),
    ({"BodyPartExamined": "HAND", "PatientAge": "003Y"}, Reason.NOT_A_CHEST_FILM),
]


@pytest.mark.parametrize(("elements", "reason"), CASES)
def test_the_gate(film, elements, reason):
    assert examine(film(**elements), 16) is reason


def test_every_rule_is_shown_by_a_case():
    assert {reason for _, reason in CASES if reason} == {reason for _, reason in RULES}


def test_the_age_limit_is_the_callers(film):
    assert examine(film(PatientAge="045Y"), 46) is Reason.PAEDIATRIC


def test_an_empty_data_set_is_no_chest_film():
    assert examine(Dataset(), 16) is Reason.NOT_A_CHEST_FILM


@pytest.mark.parametrize(
    ("elements", "view"),
    [
        ({}, "PA"),
        ({"ViewPosition": None}, None),
        ({"ViewPosition": None, "ViewCodeSequence": LATERAL}, "LL"),
        ({"ViewPosition": None, "ViewCodeSequence": concept("X", "from above")}, "from above"),
    ],
)
def test_the_view_on_the_list(film, elements, view):
    assert view_of(film(**elements)) == view


REAL = {
    "hip_cr_uncompressed.dcm": Reason.NOT_A_CHEST_FILM,
    "tibia_cr_monochrome1_rle.dcm": Reason.NOT_A_CHEST_FILM,
    "cspine_cr_1_6154.dcm": Reason.NOT_A_CHEST_FILM,
    "pet_jpeg_lossless.dcm": Reason.NOT_A_CHEST_FILM,
    "chest_pa_cr_jpeg_baseline.dcm": None,
    "chest_pa_cr_monochrome1_15bit_j2k_lossy.dcm": None,
    "chest_cr_korean_names_no_pixels.dcm": None,
}


@pytest.mark.parametrize("name", REAL)
def test_real_films(real_films, name):
    assert examine(dcmread(real_films / name), 16) is REAL[name]


def test_an_animal_is_not_scored(real_films):
    assert examine(dcmread(real_films / "animal_lateral_dx_monochrome1.dcm"), 16) is not None


READ_BY_THE_GATE = [
    ("SOPClassUID", "UI"), ("Modality", "CS"), ("BodyPartExamined", "CS"), ("ViewPosition", "CS"), ("PatientAge", "AS"),
    ("PatientBirthDate", "DA"), ("StudyDate", "DA"), ("NumberOfFrames", "IS"), ("SamplesPerPixel", "US"),
    ("PhotometricInterpretation", "CS"), ("AnatomicRegionSequence", "SQ"), ("ViewCodeSequence", "SQ"),
    ("PatientSpeciesDescription", "LO"), ("SpecificCharacterSet", "CS"),
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(READ_BY_THE_GATE), st.binary(max_size=40)))
def test_hostile_values_never_raise(hostile):
    from pydicom.dataelem import RawDataElement

    keep_quiet()
    dataset = Dataset()
    for (keyword, vr), value in hostile.items():
        tag = Tag(keyword)
        dataset._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    assert examine(dataset, 16) is None or isinstance(examine(dataset, 16), Reason)
    view_of(dataset)


@pytest.mark.parametrize(
    ("born", "studied", "acquired", "received", "reason"),
    [
        ("20200101", "", "", date(2026, 11, 23), Reason.PAEDIATRIC),
        ("20200101", "", "20260101", None, Reason.PAEDIATRIC),
        ("19700101", "", "", date(2026, 11, 23), None),
        ("20200101", "", "", None, None),
    ],
)
def test_the_age_is_told_without_a_study_date(film, born, studied, acquired, received, reason):
    dates = {"PatientAge": None, "PatientBirthDate": born, "StudyDate": studied, "AcquisitionDate": acquired}
    assert examine(film(**dates), 16, received) is reason
