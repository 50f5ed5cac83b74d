"""Small DICOM films for tests: Part 10 objects with pixel data whose brightness the caller chooses."""

from io import BytesIO
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from triage.archive.part10 import data_set_offset
from triage.domain.identifiers import digest_of

DX = "1.2.840.10008.5.1.4.1.1.1.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
BITS = 12


def film(
    study_uid: str = "1.2.3",
    sop_uid: str = "1.2.3.1.1",
    *,
    series_uid: str | None = None,
    sop_class_uid: str = DX,
    patient_id: str | None = "P-1",
    patient_name: str | None = "Doe^Jane",
    age: str | None = "045Y",
    view: str | None = "PA",
    modality: str = "DX",
    body_part: str | None = "CHEST",
    accession_number: str | None = "ACC-1",
    rows: int = 64,
    columns: int = 64,
    bright: float = 0.25,
    **elements: Any,
) -> bytes:
    """A Part 10 object. ``bright``: the share of white pixels, so :class:`MemoryClassifier` gives about that probability.

    ``elements`` are set last, by keyword; ``None`` removes one.
    """
    dataset = Dataset()
    given: dict[str, Any] = {
        "SOPClassUID": sop_class_uid,
        "SOPInstanceUID": sop_uid,
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": series_uid or f"{study_uid}.1",
        "Modality": modality,
        "PatientID": patient_id,
        "PatientName": patient_name,
        "PatientAge": age,
        "BodyPartExamined": body_part,
        "ViewPosition": view,
        "AccessionNumber": accession_number,
        "StudyDescription": "Chest",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 16,
        "BitsStored": BITS,
        "HighBit": BITS - 1,
        "PixelRepresentation": 0,
        "PixelData": pixels(rows, columns, bright).tobytes(),
    }
    for keyword, value in (given | elements).items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    return part10(dataset, sop_class_uid, sop_uid)


def pixels(rows: int, columns: int, bright: float) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Black above, white below: ``bright`` of the rows are white."""
    picture = np.zeros((rows, columns), "<u2")
    picture[rows - round(rows * bright) :] = (1 << BITS) - 1
    return picture


def part10(dataset: Dataset, sop_class_uid: str, sop_uid: str, transfer_syntax: str = EXPLICIT_LITTLE) -> bytes:
    """Preamble, file meta information and the data set, which may be incomplete."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def split(film: bytes) -> tuple[bytes, bytes]:
    """(preamble and file meta information, data set)."""
    offset = data_set_offset(BytesIO(film))
    return film[:offset], film[offset:]


def data_set_bytes(film: bytes) -> bytes:
    """What goes over the wire as the data set of a C-STORE."""
    return split(film)[1]


def digest(film: bytes) -> str:
    """The name under which the archive keeps it."""
    return digest_of(data_set_bytes(film))
