"""Before the first child is forked, everything is done once: a child can open no file, that of a module neither.

Libraries load parts of themselves at first use. What is missing would not be an error but a reason or a tag that is silently
another one; ``tests/unit/sandbox/test_preload.py`` looks whether anything is.
"""

import codecs
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import charset
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from triage.imaging import preview
from triage.imaging.codecs import decode_low_band
from triage.imaging.eligibility import Intended
from triage.imaging.header import read_dataset
from triage.imaging.metadata import header_json
from triage.imaging.prepare import prepare
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import ALGORITHMS, PreprocessingSpec
from triage.imaging.stored_frame import explicit_frame

_SIDE, _BITS = 64, 12
_Pixels = NDArray[np.uint16]


def _run_length(pixels: _Pixels) -> bytes:
    """PS3.5 G.5: the header, then both byte planes, the more significant first."""
    planes = [imagecodecs.packbits_encode((pixels >> shift).astype(np.uint8).tobytes()) for shift in (8, 0)]
    header = np.zeros(16, dtype="<u4")
    header[:3] = 2, 64, 64 + len(planes[0])
    return header.tobytes() + b"".join(planes)


_ENCODERS: dict[UID, Callable[[_Pixels], bytes | bytearray]] = {
    JPEGBaseline8Bit: lambda pixels: imagecodecs.jpeg8_encode((pixels >> 4).astype(np.uint8)),
    RLELossless: _run_length,
    JPEGLosslessSV1: lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=_BITS),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True, bitspersample=_BITS),
}


def preload() -> list[str]:
    """Read, examine, decode and develop a small film of each kind; look up every character set of PS3.3 C.12.1.1.2.

    Returns the transfer syntaxes of which no film could be made and decoded here: those films are *cannot decode*, the others
    are served.
    """
    for name in {*charset.python_encoding.values(), "ascii", "latin-1", "utf-8"}:
        with suppress(LookupError):
            codecs.lookup(name)
    pixels = np.add.outer(np.arange(_SIDE) * 48, np.arange(_SIDE)).astype("<u2")
    raw = _film(ExplicitVRLittleEndian, pixels.tobytes())
    stream = BytesIO()
    raw.save_as(stream, enforce_file_format=True)
    specs = [PreprocessingSpec(algorithm=algorithm) for algorithm in sorted(ALGORITHMS)]
    for spec in specs:
        assert prepare(BytesIO(stream.getvalue()), spec, Intended(16)).tensor is not None
    made = preview.preview(read_dataset(BytesIO(stream.getvalue())))
    preview.png(made)
    preview.frame(raw)
    header_json(BytesIO(stream.getvalue()))
    explicit_frame(raw, 1)
    assert imagecodecs.ljpeg_decode is not None  # what jpeg_decode turns to for some films
    missing = []
    for syntax, encode in _ENCODERS.items():
        try:
            film = _film(syntax, encapsulate([bytes(encode(pixels))]))
            for spec in specs:
                preprocess(film, spec)
            decode_low_band(film, 1)  # as large films are
        except Exception:  # a codec that this build lacks is no reason to open no film at all
            missing.append(str(syntax))
    return missing


def _film(syntax: UID, pixel_data: bytes) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = UID("1.2.3")
    bits = 8 if syntax == JPEGBaseline8Bit else 16
    elements: dict[str, Any] = {
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "PatientAge": "045Y",
        "PatientSpeciesDescription": "Human",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME1",
        "Rows": _SIDE,
        "Columns": _SIDE,
        "BitsAllocated": bits,
        "BitsStored": min(bits, _BITS),
        "HighBit": min(bits, _BITS) - 1,
        "PixelRepresentation": 0,
        "PixelPaddingValue": 0,
        "WindowCenter": 2048,
        "WindowWidth": 4096,
        "VOILUTFunction": "SIGMOID",
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "PixelData": pixel_data,
    }
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OB" if syntax != ExplicitVRLittleEndian else "OW"
    return dataset
