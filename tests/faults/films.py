"""Whole films to be damaged: real ones, chosen by a rule, in each transfer syntax."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from tests.encoders import ENCODERS, NATIVE
from triage.imaging.codecs import decode_frame
from triage.imaging.header import read_dataset

SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"
SYNTAXES = {
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG baseline": "1.2.840.10008.1.2.4.50",
    "JPEG extended, 12 bit": "1.2.840.10008.1.2.4.51",
    "JPEG lossless .57": "1.2.840.10008.1.2.4.57",
    "JPEG lossless .70": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG-LS near-lossless": "1.2.840.10008.1.2.4.81",
    "JPEG 2000 lossless": "1.2.840.10008.1.2.4.90",
    "JPEG 2000": "1.2.840.10008.1.2.4.91",
    "HTJ2K": "1.2.840.10008.1.2.4.201",
    "uncompressed": "1.2.840.10008.1.2.1",
}
_COARSER = {
    # as devices would store it, and not as the finest that there is
    "1.2.840.10008.1.2.4.50": lambda pixels, bits: imagecodecs.jpeg_encode(pixels, level=90),
    "1.2.840.10008.1.2.4.51": lambda pixels, bits: imagecodecs.jpeg_encode(pixels, level=90, bitspersample=bits),
    "1.2.840.10008.1.2.4.57": lambda pixels, bits: imagecodecs.jpeg_encode(
        pixels, lossless=True, predictor=4, bitspersample=bits
    ),
    "1.2.840.10008.1.2.4.91": lambda pixels, bits: imagecodecs.jpeg2k_encode(
        pixels, level=55, codecformat="J2K", reversible=False, bitspersample=bits
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A film in one transfer syntax. ``stream``: its one codestream or its cells; ``header``: bytes before the coded data."""

    name: str
    dataset: Dataset
    stream: bytes
    header: int

    def file_object(self, stream: bytes) -> bytes:
        """The Part 10 object with another codestream."""
        dataset = deepcopy(self.dataset)
        native = dataset.file_meta.TransferSyntaxUID in NATIVE
        dataset.PixelData = stream + b"\0" * (len(stream) % 2) if native else encapsulate([stream])
        dataset["PixelData"].VR = "OW" if native else "OB"
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()


def sample(name: str) -> Dataset:
    with (SAMPLES / name).open("rb") as stream:
        return read_dataset(stream)


def film_in(name: str, syntax: str) -> Film:
    """A sample film, its stored values coded again; for JPEG baseline brought to 8 bits."""
    dataset = sample(name)
    pixels, bits = decode_frame(dataset), int(dataset.BitsStored)
    if syntax.endswith(".50") and bits > 8:
        pixels, bits = _eight_bits(dataset, pixels), 8
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    encoder = _COARSER.get(syntax) or ENCODERS[syntax]
    stream = bytes(encoder(np.ascontiguousarray(pixels), bits))
    return Film(name=name, dataset=dataset, stream=stream, header=_header_of(stream, syntax))


def _eight_bits(dataset: Dataset, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.WindowCenter, dataset.WindowWidth = "128", "256"
    return (pixels >> 4).astype(np.uint8)


def _header_of(stream: bytes, syntax: str) -> int:
    """Bytes before the coded data: to the end of SOS, of SOD, of the RLE header; none where there is no codestream."""
    if syntax in NATIVE:
        return 0
    if syntax.endswith("1.2.5"):
        return 64
    if stream.startswith(b"\xff\x4f"):
        return stream.index(b"\xff\x93") + 2
    start = stream.index(b"\xff\xda")
    return start + 2 + int.from_bytes(stream[start + 2 : start + 4], "big")


def names() -> Iterator[str]:
    """The sample films in order of their names."""
    yield from sorted(path.name for path in SAMPLES.glob("film_*.dcm"))
