"""Films to send: one real picture enlarged to a size, each copy with UIDs of its own, and (raw ones) a few pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from tests.encoders import encode
from triage.imaging.codecs import decode_frame

SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"
NOISE = 6.0
"""Standard deviation of a detector's noise, of 12 bits: without it, an enlarged picture compresses to nothing."""


def make(folder: Path, count: int, side: int) -> list[Path]:
    """``count`` raw 16-bit films of ``side`` × ``side`` pixels, one study each."""
    dataset, large = _enlarged(side)
    paths = []
    for number in range(count):
        pixels = large.copy()
        pixels[0, :2] = divmod(number, 256)
        dataset.PixelData = pixels.tobytes()
        paths.append(_copy(dataset, folder, number))
    return paths


def make_coded(folder: Path, count: int, side: int) -> list[Path]:
    """The same in JPEG 2000 lossless, with noise: one codestream, encoded once."""
    dataset, large = _enlarged(side)
    noise = np.random.default_rng(7).normal(0, NOISE, large.shape)
    pixels = np.clip(large + noise, 0, 4095).astype(np.uint16)
    dataset.PixelData = encode(pixels, 12, JPEG2000Lossless)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return [_copy(dataset, folder, number) for number in range(count)]


def _enlarged(side: int) -> tuple[Dataset, np.ndarray[Any, np.dtype[np.uint16]]]:
    dataset = dcmread(SAMPLES / "film_07.dcm")
    grey = decode_frame(dataset).astype(np.uint16)
    index = np.arange(side) * grey.shape[0] // side
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows = dataset.Columns = side
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset["PixelData"].is_undefined_length = False
    return dataset, np.ascontiguousarray(grey[np.ix_(index, index)] * 13)


def _copy(dataset: Dataset, folder: Path, number: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    path = folder / f"{number:04}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path
