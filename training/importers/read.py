"""A picture or a DICOM file → the data set that training keeps: the pixels and what is needed to see them, nothing else."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from training.importers.wrap import film_dataset, grey_of
from training.manifest import UNKNOWN_AGE

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
_IMAGE_GROUPS = frozenset({0x0028, 0x2050, 0x7FE0})
"""Image Pixel, LUTs, padding (PS3.3 C.7.6.3, C.11), Presentation LUT Shape, Pixel Data. Overlays stay behind."""
_KEPT = ("SOPClassUID", "Modality", "PresentationIntentType", "BodyPartExamined", "ViewPosition", "PatientAge", "PatientSex")


class UnreadableError(Exception):
    """This file gives no film; the message says why."""


def picture(path: Path, key: str, view: str = "", sex: str = "", age: int = UNKNOWN_AGE) -> Dataset:
    """The picture in ``path`` as a DICOM film; its UIDs depend on ``key`` only.

    Raises:
        UnreadableError: no picture, or one that cannot be read.
    """
    study, series, instance = (generate_uid(entropy_srcs=[key, role]) for role in ("study", "series", "instance"))
    try:
        return film_dataset(
            _grey(path),
            sop_instance_uid=instance,
            study_instance_uid=study,
            series_instance_uid=series,
            view=view or None,
            age_years=None if age == UNKNOWN_AGE else age,
            sex=sex or None,
        )
    except FileNotFoundError:
        raise UnreadableError("file is missing") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableError(f"no picture that can be read ({type(error).__name__})") from None


def dicom(path: Path) -> Dataset:
    """The DICOM file in ``path``, whole.

    Raises:
        UnreadableError: missing, or no DICOM file.
    """
    try:
        dataset = dcmread(path)
    except FileNotFoundError:
        raise UnreadableError("file is missing") from None
    except (OSError, InvalidDicomError, ValueError, NotImplementedError) as error:
        raise UnreadableError(f"no DICOM file that can be read ({type(error).__name__})") from None
    if "PixelData" not in dataset:
        raise UnreadableError("no picture in it")
    return dataset


def anonymous(source: Dataset, key: str) -> Dataset:
    """A copy with pixels, how to show them, view, age and sex; new UIDs from ``key``.

    Names, numbers, dates and every free text stay behind: a description may hold the finding.
    """
    kept = Dataset()
    for element in source:
        if element.tag.group in _IMAGE_GROUPS or element.keyword in _KEPT:
            kept.add(element)
    for role in ("Study", "Series", "SOP"):
        setattr(kept, f"{role}InstanceUID", generate_uid(entropy_srcs=[key, role]))
    kept.file_meta = FileMetaDataset()
    kept.file_meta.MediaStorageSOPClassUID = source.get("SOPClassUID", "")
    kept.file_meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID
    kept.file_meta.TransferSyntaxUID = source.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    return kept


def _grey(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Grey values; 16 bits where the file has them."""
    with Image.open(path) as image:
        if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
            return np.asarray(image).astype(np.uint16)
    return grey_of(path)
