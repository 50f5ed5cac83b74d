"""Stored pixel values from a data set: one table says which decoder reads which transfer syntax."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import jpeg2000
from triage.imaging.codestream import examine
from triage.imaging.elements import code, integer, values
from triage.imaging.encapsulated import only_frame
from triage.imaging.jpeg2000_stream import Jpeg2000Stream, read_jpeg_2000
from triage.imaging.jpeg_lossless import decode_jpeg_lossless
from triage.imaging.jpeg_sequential import decode_jpeg_sequential
from triage.imaging.pyramid import halved, low_band
from triage.imaging.run_length import decode_run_length

MAX_PIXELS = 100_000_000
"""Rows × Columns beyond which nothing is decoded; the largest radiographs have about 20 million."""
_MOST_PADDING = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDescription:
    """The Image Pixel Module (PS3.3 C.7.6.3) of one grey frame."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool


def describe(dataset: Dataset) -> PixelDescription:
    """Check the Image Pixel Module of ``dataset`` before any pixel is touched.

    Raises:
        PixelError: no pixel data, several frames, colour, or values that describe no image that can be decoded.
    """
    if "PixelData" not in dataset:
        raise PixelError(Reason.NO_IMAGE, "no pixel data")
    frames = integer(dataset, "NumberOfFrames")
    if frames is not None and frames > 1:
        raise PixelError(Reason.MULTI_FRAME, "more than one frame")
    if values(dataset, "NumberOfFrames") and frames not in (0, 1):  # 0 is what some devices write of a single frame
        raise PixelError(Reason.CANNOT_DECODE, "a number of frames that cannot be")
    photometric = code(dataset, "PhotometricInterpretation")
    if (integer(dataset, "SamplesPerPixel") or 1) > 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise PixelError(Reason.NOT_GRAYSCALE, "not one grey sample per pixel")

    rows, columns = integer(dataset, "Rows") or 0, integer(dataset, "Columns") or 0
    if rows <= 0 or columns <= 0:
        raise PixelError(Reason.CANNOT_DECODE, "no rows or columns")
    if rows * columns > MAX_PIXELS:
        raise PixelError(Reason.CANNOT_DECODE, "more pixels than are decoded")
    bits_allocated = integer(dataset, "BitsAllocated") or 0
    bits_stored = integer(dataset, "BitsStored") or bits_allocated
    high_bit = integer(dataset, "HighBit")
    high_bit = bits_stored - 1 if high_bit is None else high_bit
    if bits_allocated not in (8, 16) or not 1 <= bits_stored <= high_bit + 1 <= bits_allocated:
        raise PixelError(Reason.CANNOT_DECODE, "bits allocated, bits stored and high bit do not fit together")
    return PixelDescription(
        rows=rows,
        columns=columns,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        signed=integer(dataset, "PixelRepresentation") == 1,
    )


def decode_frame(dataset: Dataset) -> NDArray[Any]:
    """The stored values of the one frame of ``dataset``: (Rows, Columns), an integer type of 8 or 16 bits.

    Raises:
        PixelError: as :func:`describe`; an unknown transfer syntax; pixel data that cannot be decoded or have another size.
    """
    return _decoded(dataset, describe(dataset), _decoder_of(dataset))


def decode_low_band(dataset: Dataset, levels: int) -> NDArray[Any]:
    """The low band of the one frame of ``dataset`` after ``levels`` halvings (:mod:`triage.imaging.pyramid`).

    A JPEG 2000 codestream that holds it is decoded no further; any other film is decoded and made small, to the same values.

    Raises:
        PixelError: as :func:`decode_frame`.
    """
    description = describe(dataset)
    if not levels:
        return _decoded(dataset, description, _decoder_of(dataset))
    if _decoder_of(dataset) is _JPEG_2000:
        stream = read_jpeg_2000(only_frame(dataset.PixelData))
        if _shows_low_band(stream, description, levels):
            smaller = replace(description, rows=halved(description.rows, levels), columns=halved(description.columns, levels))
            return _decoded(
                dataset, smaller, _image_codec(lambda codestream: jpeg2000.reduced(codestream, stream, levels), description)
            )
    pixels = _decoded(dataset, description, _decoder_of(dataset))
    least = -(1 << description.bits_stored - 1) if description.signed else 0
    most = least + (1 << description.bits_stored) - 1
    band = low_band(pixels, levels)
    if band.min() >= least and band.max() <= most:
        return band
    # a codestream may be wider than the header says: what the film itself reaches is not cut off
    return band.clip(min(least, int(pixels.min())), max(most, int(pixels.max())))


def _shows_low_band(stream: Jpeg2000Stream, description: PixelDescription, levels: int) -> bool:
    """Whether the codestream's own low band is that of the stored values: no sign, no bits and no tile stand in between."""
    return (
        stream.plain
        and stream.levels >= levels
        and not (stream.signed or description.signed)
        and 8 <= stream.precision == description.bits_stored
    )


def _decoder_of(dataset: Dataset) -> "Decoder":
    try:
        return DECODERS[str(dataset.file_meta.TransferSyntaxUID)]
    except (AttributeError, KeyError):
        raise PixelError(Reason.CANNOT_DECODE, "no decoder for the transfer syntax") from None


def _decoded(dataset: Dataset, description: PixelDescription, decoder: "Decoder") -> NDArray[Any]:
    try:
        pixels = decoder(dataset, description)
    except PixelError:
        raise
    except Exception as error:  # each decoder has its own types; their messages may quote the file
        raise PixelError(Reason.CANNOT_DECODE, f"the decoder failed: {type(error).__name__}") from None
    if pixels.shape != (description.rows, description.columns):
        raise PixelError(Reason.CANNOT_DECODE, "the coded image has another size than the header says")
    return pixels


Decoder = Callable[[Dataset, PixelDescription], NDArray[Any]]


def _native(byte_order: str) -> Decoder:
    """PS3.5 8.1, A.1 to A.3: cells of Bits Allocated, one after the other."""

    def decode(dataset: Dataset, description: PixelDescription) -> NDArray[Any]:
        count = description.rows * description.columns
        _check_length(dataset.PixelData, description)
        swapped = byte_order == ">" and description.bits_allocated == 8 and dataset["PixelData"].VR == "OW"
        if swapped:  # PS3.5 A.3 and 7.3: two 8-bit cells travel in one big-endian word
            words = np.frombuffer(dataset.PixelData, dtype="<u2", count=(count + 1) // 2)
            cells: NDArray[Any] = words.byteswap().view(np.uint8)[:count]
        else:
            cells = np.frombuffer(dataset.PixelData, dtype=f"{byte_order}u{description.bits_allocated // 8}", count=count)
        return _stored_bits(cells, description)

    return decode


def _check_length(data: bytes, description: PixelDescription) -> None:
    """PS3.5 8.1.1 and 7.1.1: as long as the image; some devices pad with more zeros than the one for an even length."""
    size = description.rows * description.columns * description.bits_allocated // 8
    padded = len(data) == size + size % 2
    if not padded and (not size <= len(data) <= size + _MOST_PADDING or any(data[size:])):
        raise PixelError(Reason.CANNOT_DECODE, "pixel data of another length than the image")


def _run_length(dataset: Dataset, description: PixelDescription) -> NDArray[Any]:
    """PS3.5 Annex G: byte planes of the cells of Bits Allocated."""
    count = description.rows * description.columns
    return _stored_bits(decode_run_length(only_frame(dataset.PixelData), count, description.bits_allocated), description)


def _image_codec(function: Callable[[bytes], NDArray[Any]], whole: PixelDescription | None = None) -> Decoder:
    """PS3.5 8.2: the codestream has its own size and depth, and must agree with the Image Pixel Module.

    ``whole``: of the film, where ``function`` gives a smaller one.
    """

    def decode(dataset: Dataset, description: PixelDescription) -> NDArray[Any]:
        stated = whole or description
        codestream = only_frame(dataset.PixelData)
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        precision = examine(  # before decoding: a small codestream may claim a picture of gigabytes
            codestream,
            syntax,
            rows=stated.rows,
            columns=stated.columns,
            bits_allocated=stated.bits_allocated,
            bits_stored=stated.bits_stored,
        )
        pixels = function(codestream)
        if not (np.issubdtype(pixels.dtype, np.integer) and pixels.dtype.itemsize <= 2):
            raise PixelError(Reason.CANNOT_DECODE, "the coded image is deeper than 16 bits")
        if precision > description.bits_stored and syntax in _LOSSLESS:
            # the encoder was given whole cells; what a lossy one overshoots must not be cut off at the top
            cells = pixels.view(f"u{pixels.dtype.itemsize}")
            if precision < description.bits_allocated and int(cells.max()) >> description.high_bit + 1:
                raise PixelError(Reason.CANNOT_DECODE, "the coded image is deeper than the header says")
            return _stored_bits(cells, description)
        if description.signed and np.issubdtype(pixels.dtype, np.unsignedinteger):
            # JPEG, JPEG-LS and some JPEG 2000 encoders do not know signs: the bits are the stored value's
            return _signed(pixels.astype(np.uint16), description.bits_stored)
        return pixels

    return decode


def _stored_bits(cells: NDArray[Any], description: PixelDescription) -> NDArray[Any]:
    """Stored values out of pixel cells (PS3.5 8.1.1): other bits of a cell are not part of the value."""
    unused_below = description.high_bit + 1 - description.bits_stored
    most = (1 << description.bits_stored) - 1
    if unused_below:
        cells = cells >> unused_below
    if description.bits_stored < description.bits_allocated and int(cells.max()) > most:  # a look is cheaper than a copy
        cells = cells & most
    pixels = cells.reshape(description.rows, description.columns)
    return _signed(pixels, description.bits_stored) if description.signed else pixels


def _signed(pixels: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Two's complement of ``bits_stored`` bits (PS3.3 C.7.6.3.1, Pixel Representation 1)."""
    unused = 16 - bits_stored
    return (pixels.astype(np.uint16) << unused).view(np.int16) >> unused


_LOSSLESS = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 80, 90, 201, 202))
"""JPEG, JPEG-LS and JPEG 2000 that give back exactly the cells they were given."""
_JPEG_2000 = _image_codec(imagecodecs.jpeg2k_decode)

DECODERS: dict[str, Decoder] = {
    "1.2.840.10008.1.2": _native("<"),  # Implicit VR Little Endian
    "1.2.840.10008.1.2.1": _native("<"),  # Explicit VR Little Endian
    "1.2.840.10008.1.2.1.99": _native("<"),  # Deflated Explicit VR Little Endian: inflated when the object is read
    "1.2.840.10008.1.2.2": _native(">"),  # Explicit VR Big Endian (retired)
    "1.2.840.10008.1.2.5": _run_length,  # RLE Lossless
    "1.2.840.10008.1.2.4.50": _image_codec(decode_jpeg_sequential),  # JPEG Baseline (Process 1)
    "1.2.840.10008.1.2.4.51": _image_codec(decode_jpeg_sequential),  # JPEG Extended (Process 2 and 4)
    "1.2.840.10008.1.2.4.57": _image_codec(decode_jpeg_lossless),  # JPEG Lossless (Process 14)
    "1.2.840.10008.1.2.4.70": _image_codec(decode_jpeg_lossless),  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": _image_codec(imagecodecs.jpegls_decode),  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": _image_codec(imagecodecs.jpegls_decode),  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90": _JPEG_2000,  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91": _JPEG_2000,  # JPEG 2000
    "1.2.840.10008.1.2.4.201": _JPEG_2000,  # High-Throughput JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.202": _JPEG_2000,  # High-Throughput JPEG 2000 RPCL Lossless
    "1.2.840.10008.1.2.4.203": _JPEG_2000,  # High-Throughput JPEG 2000
}
"""Transfer syntax UID → decoder. Named, not left to the order in which plug-ins happen to be installed."""
