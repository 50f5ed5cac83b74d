"""Pixels in every transfer syntax that is read: what films for tests are made of."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import rle.utils
from numpy.typing import NDArray
from pydicom.encaps import encapsulate

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def encode(pixels: NDArray[Any], bits: int, syntax: str, fragments: int = 1) -> bytes:
    """The value of Pixel Data: padded, or in fragments."""
    encoder = ENCODERS[syntax]
    data = encoder(np.ascontiguousarray(pixels), bits)
    if syntax in NATIVE:
        return data + b"\0" * (len(data) % 2)
    return encapsulate([data], fragments_per_frame=fragments)


def _run_length(pixels: NDArray[Any], bits: int) -> bytes:
    rows, columns = pixels.shape
    width = 8 * pixels.itemsize
    return bytes(
        next(
            rle.utils.encode_array(
                pixels, rows=rows, columns=columns, samples_per_pixel=1, bits_per_pixel=width, bits_allocated=width,
                number_of_frames=1, byteorder="<",
            )
        )
    )  # fmt: skip


def _jpeg_lossless(pixels: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg_encode(pixels, lossless=True, predictor=1, bitspersample=bits))


def _jpeg_lossy(pixels: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg_encode(pixels, level=98, bitspersample=bits))


def _jpeg_2000(pixels: NDArray[Any], bits: int) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="J2K", reversible=True, bitspersample=bits))


NATIVE = ("1.2.840.10008.1.2", EXPLICIT_LITTLE, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
ENCODERS: dict[str, Callable[[NDArray[Any], int], bytes]] = {
    "1.2.840.10008.1.2": lambda pixels, bits: pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(),
    EXPLICIT_LITTLE: lambda pixels, bits: pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(),
    "1.2.840.10008.1.2.1.99": lambda pixels, bits: pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(),
    "1.2.840.10008.1.2.2": lambda pixels, bits: np.frombuffer(
        pixels.tobytes() + b"\0" * (pixels.nbytes % 2), dtype="<u2"
    ).byteswap().tobytes(),  # OW: words are swapped, also where a word holds two 8-bit cells
    "1.2.840.10008.1.2.5": _run_length,
    "1.2.840.10008.1.2.4.57": _jpeg_lossless,
    "1.2.840.10008.1.2.4.70": _jpeg_lossless,
    "1.2.840.10008.1.2.4.80": lambda pixels, bits: bytes(imagecodecs.jpegls_encode(pixels)),
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.201": lambda pixels, bits: bytes(imagecodecs.htj2k_encode(pixels, reversible=True)),
    "1.2.840.10008.1.2.4.50": _jpeg_lossy,
    "1.2.840.10008.1.2.4.51": _jpeg_lossy,
    "1.2.840.10008.1.2.4.81": lambda pixels, bits: bytes(imagecodecs.jpegls_encode(pixels, level=2)),
}  # fmt: skip
LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
LOSSLESS = tuple(syntax for syntax in ENCODERS if syntax not in LOSSY)
