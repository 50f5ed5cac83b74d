"""Is this a frontal chest film of the intended population? By tags: a table of rules, walked in order.

Tags can only exclude. Text of a description is never read: some archives write the finding there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from triage.domain.reason import Reason
from triage.imaging.elements import clean, code, integer, items, text

_RADIOGRAPHS = frozenset(
    {ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation, DigitalXRayImageStorageForProcessing}
)
_RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG"})  # PS3.3 C.7.3.1.1.1; RG: radiographic imaging, film and screen

_CHEST_WORDS = ("CHEST", "THORA", "TORAX", "LUNG", "POUMON")
"""What a Body Part Examined (PS3.16 Annex L, and what devices write) contains when it names the chest …"""
_BONE_WORDS = ("SPINE", "VERTEBR", "RIB", "STERN", "CLAVIC")
"""… and does not contain: the thoracic spine is another examination."""
_EMPTY_WORDS = frozenset({"UNKNOWN", "OTHER", "NONE", "NA", "N/A", "UNDEFINED", "DEFAULT", "UNSPECIFIED"})
"""Values of Body Part Examined that name nothing."""

_CHEST_CODES = frozenset({"816094009", "51185008", "T-D3000", "43799004", "T-D3200", "39607008", "T-28000"})
"""Chest, thorax, intra-thoracic, lung (PS3.16 CID 4, CID 4031): SNOMED CT, and the SNOMED RT codes of older devices."""

_LATERAL_POSITIONS = frozenset({"LL", "RL", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "LO", "RO", "LLD", "RLD"})
"""View Position (PS3.3 C.8.1.1.1.1, C.8.7.5.1.1) that is not an upright frontal one; PA, AP and anything unknown pass."""
_LATERAL_WORDS = ("LAT", "OBL", "DECUB")
"""The same in words: LLAT, LATERAL, OBLIQUE, Left Lateral Decubitus."""

_VIEW_CODES = {
    "399348003": "AP", "R-10206": "AP", "272479007": "PA", "R-40888": "PA", "R-10214": "PA",
    "399173006": "LL", "R-10236": "LL", "399198007": "RL", "R-10232": "RL", "399067008": "LAT", "R-102CD": "LAT",
    "399135007": "LAO", "R-10220": "LAO", "399356000": "RAO", "R-40985": "RAO", "399006002": "LPO", "R-10212": "LPO",
    "399038007": "RPO", "R-10210": "RPO", "399184004": "LO", "R-10238": "LO", "399236003": "RO", "R-10234": "RO",
    "399182000": "OBL", "R-102C1": "OBL",
}  # fmt: skip
"""Code Value of PS3.16 CID 4010 (DX View), SNOMED CT and SNOMED RT → View Position."""

_DATES = ("StudyDate", "AcquisitionDate", "ContentDate", "SeriesDate")
"""Whose date tells the age at the examination: the first that can be read (StudyDate is type 2, may be empty)."""
_AGE = re.compile(r"([0-9]{1,3})([DWMY])", re.ASCII)
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.44, "Y": 365.25}
_HUMAN_WORDS = ("HUMAN", "HOMO")
_HUMAN_CODES = frozenset({"337915000", "L-85003"})  # Homo sapiens, PS3.16 CID 7454


@dataclass(frozen=True, slots=True)
class Intended:
    """Whose films are meant: patients of at least this age; ``received_on`` tells it where a film has no date of its own."""

    min_age_years: int
    received_on: date | None = None


Rule = Callable[[Dataset, Intended], bool]


def examine(dataset: Dataset, min_age_years: int, received_on: date | None = None) -> Reason | None:
    """Why the film must not be scored, by its tags; ``None`` when they do not speak against it. Never raises.

    The first rule that applies gives the reason. What is certainly no chest radiograph comes first; a child comes before
    a lateral view, since its reason also keeps the other films of the study from being *not flagged*.
    """
    intended = Intended(min_age_years, received_on)
    return next((reason for rule, reason in RULES if rule(dataset, intended)), None)


def view_of(dataset: Dataset) -> str | None:
    """The view as the list shows it: View Position, else the View Code Sequence; ``None`` when neither says."""
    position = text(dataset, "ViewPosition")
    if position:
        return position
    for item in items(dataset, "ViewCodeSequence"):
        return _VIEW_CODES.get(code(item, "CodeValue") or "") or text(item, "CodeMeaning")
    return None


def _is_not_human(dataset: Dataset, intended: Intended) -> bool:
    """PS3.3 C.7.1.1: species is for animals; some write it for people too."""
    species = code(dataset, "PatientSpeciesDescription")
    codes = [code(item, "CodeValue") for item in items(dataset, "PatientSpeciesCodeSequence")]
    if species:
        return not any(word in species for word in _HUMAN_WORDS)
    return bool(codes) and not any(value in _HUMAN_CODES for value in codes)


def _is_no_radiograph(dataset: Dataset, intended: Intended) -> bool:
    """CR and DX by SOP class and modality; a secondary capture only when it is said to be a radiograph of the chest."""
    sop_class, modality = text(dataset, "SOPClassUID"), code(dataset, "Modality")
    if sop_class in _RADIOGRAPHS:
        return modality is not None and modality not in _RADIOGRAPH_MODALITIES
    if sop_class == SecondaryCaptureImageStorage:
        return modality not in _RADIOGRAPH_MODALITIES or not _says_chest(dataset)
    return True


def _is_other_body_part(dataset: Dataset, intended: Intended) -> bool:
    """A body part is named, and it is not the chest."""
    return _names_body_part(dataset) and not _says_chest(dataset)


def _is_multi_frame(dataset: Dataset, intended: Intended) -> bool:
    return (integer(dataset, "NumberOfFrames") or 1) > 1


def _is_colour(dataset: Dataset, intended: Intended) -> bool:
    photometric = code(dataset, "PhotometricInterpretation")
    samples = integer(dataset, "SamplesPerPixel") or 1
    return samples > 1 or (photometric is not None and not photometric.startswith("MONOCHROME"))


def _is_child(dataset: Dataset, intended: Intended) -> bool:
    """By Patient's Age; when there is none, by birth date and the film's date, or the day it came: nobody was older before."""
    age = _age_years(dataset, intended.received_on)
    return age is not None and age < intended.min_age_years


def _is_lateral(dataset: Dataset, intended: Intended) -> bool:
    """By View Position or View Code Sequence: one that says so is enough, as a default of AP is often left standing."""
    views = [code(dataset, "ViewPosition") or ""]
    for item in items(dataset, "ViewCodeSequence"):
        views.append(_VIEW_CODES.get(code(item, "CodeValue") or "") or code(item, "CodeMeaning") or "")
    return any(view in _LATERAL_POSITIONS or any(word in view for word in _LATERAL_WORDS) for view in views)


RULES: tuple[tuple[Rule, Reason], ...] = (
    (_is_not_human, Reason.NOT_A_CHEST_FILM),
    (_is_no_radiograph, Reason.NOT_A_CHEST_FILM),
    (_is_other_body_part, Reason.NOT_A_CHEST_FILM),
    (_is_multi_frame, Reason.MULTI_FRAME),
    (_is_colour, Reason.NOT_GRAYSCALE),
    (_is_child, Reason.PAEDIATRIC),
    (_is_lateral, Reason.LATERAL_VIEW),
)
"""Walked by :func:`examine` in this order."""


def _names_body_part(dataset: Dataset) -> bool:
    part = code(dataset, "BodyPartExamined")
    return (part is not None and part not in _EMPTY_WORDS) or bool(items(dataset, "AnatomicRegionSequence"))


def _says_chest(dataset: Dataset) -> bool:
    """By Body Part Examined or Anatomic Region Sequence; either is enough, as devices leave the other at its default."""
    regions = items(dataset, "AnatomicRegionSequence")
    names = [code(dataset, "BodyPartExamined"), *(code(region, "CodeMeaning") for region in regions)]
    return any(code(region, "CodeValue") in _CHEST_CODES for region in regions) or any(
        any(word in name for word in _CHEST_WORDS) and not any(word in name for word in _BONE_WORDS) for name in names if name
    )


def _age_years(dataset: Dataset, received_on: date | None) -> float | None:
    stated = _AGE.fullmatch(code(dataset, "PatientAge") or "")
    if stated:  # PS3.5 6.2, VR AS
        return int(stated[1]) * _DAYS[stated[2]] / _DAYS["Y"]
    born = _date(dataset, "PatientBirthDate")
    studied = next((found for keyword in _DATES if (found := _date(dataset, keyword)) is not None), received_on)
    if born is None or studied is None or studied < born:
        return None
    return studied.year - born.year - ((studied.month, studied.day) < (born.month, born.day))


def _date(dataset: Dataset, keyword: str) -> date | None:
    """A DA value: YYYYMMDD (PS3.5 6.2), or the old YYYY.MM.DD."""
    digits = (clean(text(dataset, keyword)) or "").replace(".", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if len(digits) == 8 and digits.isascii() else None
    except ValueError:
        return None
