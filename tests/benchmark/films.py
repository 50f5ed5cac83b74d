"""Films to send: one real picture enlarged to a size, each copy with UIDs and a few pixels of its own."""

from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from triage.imaging.codecs import decode_frame

SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"


def make(folder: Path, count: int, side: int) -> list[Path]:
    """``count`` raw 16-bit films of ``side`` × ``side`` pixels, one study each."""
    folder.mkdir(parents=True)
    dataset = dcmread(SAMPLES / "film_07.dcm")
    grey = decode_frame(dataset).astype(np.uint16)
    index = np.arange(side) * grey.shape[0] // side
    large = np.ascontiguousarray(grey[np.ix_(index, index)] * 13)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows = dataset.Columns = side
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    paths = []
    for number in range(count):
        pixels = large.copy()
        pixels[0, :2] = divmod(number, 256)
        dataset.PixelData = pixels.tobytes()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        path = folder / f"{number:04}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths
