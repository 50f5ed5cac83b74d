"""Films made for a test, and the real ones where the data folder is there."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from tests.encoders import ENCODERS, EXPLICIT_LITTLE, LOSSLESS, LOSSY, encode

REAL_FILMS = Path(__file__).resolve().parents[4] / "shared" / "data" / "dicom"

MakeFilm = Callable[..., Dataset]


def anatomy(bits: int = 12, rows: int = 120, columns: int = 100) -> NDArray[np.uint16]:
    """A smooth field with noise that uses most of ``bits`` bits; the same every time."""
    generator = np.random.default_rng(7)
    y, x = np.mgrid[0:rows, 0:columns]
    field = 0.5 + 0.3 * np.sin(x / 17) * np.cos(y / 23) + 0.15 * generator.random((rows, columns))
    return np.clip(field * ((1 << bits) - 1), 0, (1 << bits) - 1).astype(np.uint16)


def make_film(pixels: NDArray[Any] | None = None, *, bits: int = 12, syntax: str = EXPLICIT_LITTLE, **elements: Any) -> Dataset:
    """A chest film of the digital X-ray class; ``elements`` are set afterwards, ``None`` removes one."""
    pixels = anatomy(bits) if pixels is None else pixels
    allocated = 8 if bits <= 8 else 16
    signed = bool(np.issubdtype(pixels.dtype, np.signedinteger))
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.PatientName, dataset.PatientID, dataset.PatientAge = "Doe^Jane", "P1", "045Y"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    stored = pixels.astype(np.int64) & ((1 << bits) - 1) if signed else pixels
    dataset.PixelData = encode(stored.astype(np.uint8 if allocated == 8 else np.uint16), bits, syntax)
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        elif keyword in ("BodyPartExamined", "ViewPosition"):  # as devices write them, not as the standard wants them
            dataset.add(DataElement(keyword, "CS", value, validation_mode=config.IGNORE))
        else:
            setattr(dataset, keyword, value)
    return dataset


def file_object(dataset: Dataset) -> bytes:
    """The data set as a DICOM Part 10 file."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lossless_syntax" in metafunc.fixturenames:
        metafunc.parametrize("lossless_syntax", LOSSLESS)
    if "lossy_syntax" in metafunc.fixturenames:
        metafunc.parametrize("lossy_syntax", LOSSY)


@pytest.fixture(scope="session")
def film() -> MakeFilm:
    return make_film


@pytest.fixture(scope="session")
def pixels_of_anatomy() -> Callable[..., NDArray[np.uint16]]:
    return anatomy


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    return encode


@pytest.fixture(scope="session")
def as_file() -> Callable[[Dataset], bytes]:
    return file_object


@pytest.fixture(scope="session")
def real_films() -> Path:
    if not REAL_FILMS.is_dir():
        pytest.skip("the folder ../shared/data/dicom of real DICOM files is not here")
    return REAL_FILMS


@pytest.fixture(scope="session")
def every_syntax() -> tuple[str, ...]:
    return tuple(ENCODERS)
