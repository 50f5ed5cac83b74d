"""A picture of a film becomes a DICOM data set: the one place where that happens."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian


def grey_of(picture: Path) -> NDArray[np.uint8]:
    """The grey values of a picture file: (rows, columns). Of RGB and RGBA, as some NIH films are, the luminance.

    Raises:
        OSError: no picture that can be read.
    """
    with Image.open(picture) as image:
        return np.asarray(image.convert("L"), dtype=np.uint8)


def film_dataset(
    pixels: NDArray[Any],
    *,
    sop_instance_uid: str,
    study_instance_uid: str,
    series_instance_uid: str,
    view: str | None = None,
    age_years: int | None = None,
    sex: str | None = None,
    bits_stored: int | None = None,
) -> Dataset:
    """A digital X-ray image (PS3.3 A.26) of ``pixels``, uncompressed, without any label.

    ``pixels``: (rows, columns), uint8 or uint16, MONOCHROME2 sense (air dark, bone light). ``view``: View Position, such
    as ``PA``. ``bits_stored`` defaults to all bits of the array's type. Pixel values are kept as they are.

    Raises:
        ValueError: not two-dimensional, not uint8 or uint16, or a value that needs more than ``bits_stored`` bits.
    """
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ValueError("a film has the shape (rows, columns) and the type uint8 or uint16")
    bits_allocated = pixels.dtype.itemsize * 8
    bits = bits_stored or bits_allocated
    if not 1 <= bits <= bits_allocated or int(pixels.max()) >> bits:
        raise ValueError(f"the values of the film do not fit into {bits} bits")

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian

    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = sop_instance_uid
    dataset.StudyInstanceUID = study_instance_uid
    dataset.SeriesInstanceUID = series_instance_uid
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.BodyPartExamined = "CHEST"
    if view:
        dataset.ViewPosition = view
    if age_years is not None:
        dataset.PatientAge = f"{age_years:03d}Y"  # PS3.5 6.2, VR AS
    if sex:
        dataset.PatientSex = sex

    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = bits_allocated
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    little_endian = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    data = little_endian.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)  # PS3.5 8.1.1: an even number of bytes
    dataset["PixelData"].VR = "OW" if bits_allocated == 16 else "OB"
    return dataset
