"""DICOM objects as bytes, encoded by hand (Explicit VR Little Endian), so that nothing is too wrong to be sent."""

import random
import struct
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword

from triage.imaging.codecs import decode_frame

ROOT = "1.2.826.0.1.3680043.10.511"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT = "1.2.840.10008.1.2.1"
SIDE = 64
SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"
_LONG = {"OB", "OW", "SQ", "UN", "UT"}

Value = str | int | bytes | None


def element(keyword: str, value: str | int | bytes) -> bytes:
    """One data element (PS3.5 7.1.2), the value as it is."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)[:2]
    if isinstance(value, str):
        value = value.encode()
        value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    elif isinstance(value, int):
        value = struct.pack("<H", value)
    length = struct.pack("<HI", 0, len(value)) if vr in _LONG else struct.pack("<H", len(value))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + length + value


def data_set(elements: Mapping[str, Value]) -> bytes:
    """A data set, elements in the order of their tags; ``None`` leaves one out."""
    ordered = sorted(elements, key=lambda keyword: tag_for_keyword(keyword) or 0)
    return b"".join(element(keyword, value) for keyword in ordered if (value := elements[keyword]) is not None)


def part10(data: bytes, sop_class_uid: str = DX, sop_instance_uid: str = f"{ROOT}.1", syntax: str = EXPLICIT) -> bytes:
    """A file around a data set; what stands in its meta information is what the sender puts in the command set."""
    meta = b"".join(
        element(keyword, value)
        for keyword, value in (
            ("FileMetaInformationVersion", b"\0\1"),
            ("MediaStorageSOPClassUID", sop_class_uid),
            ("MediaStorageSOPInstanceUID", sop_instance_uid),
            ("TransferSyntaxUID", syntax),
            ("ImplementationClassUID", f"{ROOT}.0"),
        )
    )
    return bytes(128) + b"DICM" + b"\2\0\0\0UL\4\0" + struct.pack("<I", len(meta)) + meta + data


def study_uid(number: int) -> str:
    return f"{ROOT}.{number}.1"


def sop_uid(number: int, image: int = 1) -> str:
    return f"{ROOT}.{number}.3.{image}"


def elements_of(number: int, image: int = 1, **changes: Value) -> dict[str, Value]:
    """An adult's frontal chest film of its own study and patient; the pixels are its own too."""
    return {
        "SOPClassUID": DX,
        "SOPInstanceUID": sop_uid(number, image),
        "StudyInstanceUID": study_uid(number),
        "SeriesInstanceUID": f"{ROOT}.{number}.2",
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientName": f"Doe^Number {number}",
        "PatientID": f"P{number}",
        "PatientAge": "045Y",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": SIDE,
        "Columns": SIDE,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": chest(f"{number} {image}"),
        **changes,
    }


@cache
def _small_chest() -> NDArray[np.int16]:
    """A real film of (SIDE, SIDE) pixels: the image gate lets no invented picture pass."""
    grey = decode_frame(dcmread(SAMPLES / "film_13.dcm"))
    step = grey.shape[0] // SIDE
    return grey[: step * SIDE, : step * SIDE].reshape(SIDE, step, SIDE, step).mean(axis=(1, 3)).astype(np.int16)


def chest(seed: str) -> bytes:
    """Its pixels, no two seeds quite the same."""
    noise = np.frombuffer(random.Random(seed).randbytes(SIDE * SIDE), np.uint8).reshape(SIDE, SIDE) % 4
    return np.clip(_small_chest() + noise, 0, 255).astype(np.uint8).tobytes()


def film(number: int, image: int = 1, **changes: Value) -> bytes:
    """A chest film as a file; ``changes`` replace elements, ``None`` leaves one out."""
    elements = elements_of(number, image, **changes)
    return part10(data_set(elements), str(elements["SOPClassUID"]), str(elements["SOPInstanceUID"] or ""))


def digest_of(file: bytes) -> str:
    """SHA-256 of the data set of a file that :func:`part10` made."""
    return sha256(data_of(file)).hexdigest()


def data_of(file: bytes) -> bytes:
    """The data set of a file: what goes over the wire."""
    length = struct.unpack("<I", file[140:144])[0]
    return file[144 + length :]
