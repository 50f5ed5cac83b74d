"""One film as different devices would deliver it: SOP class, depth, polarity, transfer syntax, and every required attribute."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from training.importers.wrap import film_dataset

_ENCODERS: dict[str, Callable[[NDArray[Any], int], bytes]] = {
    JPEGLosslessSV1: lambda pixels, bits: bytes(
        imagecodecs.jpeg_encode(pixels, lossless=True, predictor=1, bitspersample=bits)
    ),
    JPEGLSLossless: lambda pixels, bits: bytes(imagecodecs.jpegls_encode(pixels)),
}
_VIEW_CODES = {
    # PS3.16 CID 4010: code value, meaning, and the directions of rows and columns (PS3.3 C.7.6.1.1.1)
    "PA": ("272479007", "postero-anterior", ["L", "F"]),
    "AP": ("399348003", "antero-posterior", ["L", "F"]),
    "LL": ("399173006", "left lateral", ["A", "F"]),
}
_SPACING_MM = 0.35
"""Nominal: 35 cm of film on 1,024 pixels; the published picture does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a device writes its films. ``bits``: 8 or 12 stored. ``computed``: a CR object instead of DX."""

    computed: bool
    bits: int
    photometric: str
    syntax: str = ExplicitVRLittleEndian


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """Whose film, when, and how it was taken; everything but sex, age and view is invented."""

    key: str
    patient_name: str
    character_set: str
    patient_id: str
    accession_number: str
    sex: str
    age_years: int
    view: str
    taken_at: datetime


def deliver(picture: NDArray[np.uint8], exam: Exam, delivery: Delivery) -> Dataset:
    """The DX (PS3.3 A.26) or CR (A.2) object of ``picture``, (rows, columns), MONOCHROME2 sense; the same every time."""
    pixels, centre, width = _stored(picture, delivery)
    dataset = film_dataset(
        pixels,
        sop_instance_uid=uid_of(exam.key, "instance"),
        study_instance_uid=uid_of(exam.key, "study"),
        series_instance_uid=uid_of(exam.key, "series"),
        view=exam.view,
        age_years=exam.age_years,
        sex=exam.sex,
        bits_stored=delivery.bits,
    )
    dataset.file_meta.ImplementationClassUID = UID(uid_of("implementation", "samples"))
    dataset.file_meta.ImplementationVersionName = "CHEST-TRIAGE"
    dataset.PhotometricInterpretation = delivery.photometric
    dataset.WindowCenter, dataset.WindowWidth = f"{centre:g}", f"{width:g}"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    _describe(dataset, exam)
    if delivery.computed:
        _as_computed_radiography(dataset)
    else:
        _as_digital_x_ray(dataset, exam)
    if delivery.syntax in _ENCODERS:
        dataset.file_meta.TransferSyntaxUID = UID(delivery.syntax)
        dataset.PixelData = encapsulate([_ENCODERS[delivery.syntax](pixels, delivery.bits)])
        dataset["PixelData"].VR = "OB"  # PS3.5 A.4
    return dataset


def uid_of(key: str, role: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) that depends on its arguments only."""
    return f"2.25.{uuid5(NAMESPACE_OID, f'chest-triage/samples/{key}/{role}').int}"


def _stored(picture: NDArray[np.uint8], delivery: Delivery) -> tuple[NDArray[Any], float, float]:
    """Stored values with the centre and width of a linear window (PS3.3 C.11.2.1.2.1) that shows all of them."""
    if delivery.bits == 8:
        pixels: NDArray[Any] = picture.astype(np.uint8)
        low, high = 0, 255
    else:  # as a 12-bit detector: the grey values lie somewhere within the range, and the window says where
        pixels = picture.astype(np.uint16) * 13 + 300
        low, high = 300, 255 * 13 + 300
    if delivery.photometric == "MONOCHROME1":
        top = (1 << delivery.bits) - 1
        pixels, low, high = (top - pixels).astype(pixels.dtype), top - high, top - low
    return pixels, (low + high + 1) / 2, float(high - low + 1)


def _describe(dataset: Dataset, exam: Exam) -> None:
    """Patient, study, series, equipment and image attributes that CR and DX share (PS3.3 C.7)."""
    day, time = exam.taken_at.strftime("%Y%m%d"), exam.taken_at.strftime("%H%M%S")
    dataset.SpecificCharacterSet = exam.character_set
    dataset.PatientName, dataset.PatientID = exam.patient_name, exam.patient_id
    dataset.PatientBirthDate = f"{exam.taken_at.year - exam.age_years}0101"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Published without identity; name, numbers and dates are invented"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = day
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = time
    dataset.StudyID, dataset.AccessionNumber = exam.accession_number[-4:], exam.accession_number
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = f"Chest radiograph {exam.view}"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.Manufacturer = ""
    dataset.InstitutionName = "Sample Hospital"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.DerivationDescription = "Published 8-bit picture, grey values mapped linearly"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.PatientOrientation = _VIEW_CODES[exam.view][2]
    dataset.ImagerPixelSpacing = [_SPACING_MM, _SPACING_MM]


def _as_digital_x_ray(dataset: Dataset, exam: Exam) -> None:
    """PS3.3 C.8.11.1 to C.8.11.5 (DX Series, Anatomy Imaged, Image, Detector, Positioning), C.7.6.14."""
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"  # C.8.11.3.1.2
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if inverted else -1
    dataset.ImageLaterality = "U"
    dataset.AnatomicRegionSequence = [_coded("816094009", "Chest")]
    value, meaning, _ = _VIEW_CODES[exam.view]
    dataset.ViewCodeSequence = [_coded(value, meaning)]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.DetectorType = dataset.PositionerType = ""
    dataset.AcquisitionContextSequence = []


def _as_computed_radiography(dataset: Dataset) -> None:
    """PS3.3 C.8.1.1 and C.8.1.2 instead of the DX modules."""
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.Modality = "CR"
    del dataset.PresentationIntentType, dataset.PresentationLUTShape


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
