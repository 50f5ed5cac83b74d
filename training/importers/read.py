"""A picture or a DICOM file → a data set with its pixels, or why there is none."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid

from training.importers.wrap import film_dataset, grey_of
from training.manifest import UNKNOWN_AGE

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


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


def is_dicom(path: Path) -> bool:
    """Whether a file has the prefix of PS3.10 7.1."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _grey(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Grey values; 16 bits where the file has them."""
    with Image.open(path) as image:
        if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
            raise UnreadableError(f"grey values of 32 bits ({image.format}); save it with 8 or 16 bits")
        if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
            return np.asarray(image).astype(np.uint16)
    return grey_of(path)
