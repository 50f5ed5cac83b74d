"""The parity matrix: films made for it, and what DCMTK must be told to show each as PS3.3 and PS3.4 N.2 say.

``dcmj2pnm`` applies no VOI transformation unless told which (``+Wi 1`` the first window, ``+Wl 1`` the first LUT, ``+Ww`` one
given by us), so a film without a usable window is shown under the one worked out here. Where DCMTK departs from the standard,
it is given a twin: another film that must look the same by the standard; ``why`` says so, with the clause.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.unit.imaging.conftest import EXPLICIT_LITTLE, anatomy, make_film
from triage.imaging import preview
from triage.imaging.header import read_dataset

IMPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
RLE, JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
BASELINE, EXTENDED, LOSSLESS_57, LOSSLESS_70 = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
JPEG_2000, HTJ2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"

WINDOW, LUT = ("+Wi", "1"), ("+Wl", "1")
SHAPE = (48, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``options`` go to ``dcmj2pnm``; ``compared`` (rows, columns): where, if not everywhere."""

    name: str
    film: Dataset
    options: tuple[str, ...] = WINDOW
    twin: Dataset | None = None
    why: str = ""
    compared: NDArray[np.bool_] | None = None


def program(syntax: str) -> str | None:
    """The DCMTK tool that shows films of a transfer syntax; ``None``: not installed."""
    return shutil.which("dcml2pnm" if syntax in (JPEG_LS, JPEG_LS_NEAR) else "dcmj2pnm")


def shown_by_dcmtk(film: Path, syntax: str, options: tuple[str, ...]) -> NDArray[np.uint8]:
    """The 8-bit picture (rows, columns), as DCMTK renders it."""
    tool = program(syntax)
    assert tool is not None
    picture = subprocess.run(
        [tool, "--quiet", "--write-raw-pnm", *options, film], check=True, capture_output=True, timeout=60
    ).stdout
    kind, size, _, raw = picture.split(b"\n", 3)
    assert kind == b"P5"
    columns, rows = (int(number) for number in size.split())
    return np.frombuffer(raw, np.uint8).reshape(rows, columns)


def ramp(bits: int, *, signed: bool = False) -> NDArray[Any]:
    """From the least to the most that ``bits`` hold, and one by one around the middle, where the narrow windows are."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    count = SHAPE[0] * SHAPE[1]
    middle = np.arange(count // 2) - count // 4 + (low + high + 1) // 2
    values = np.concatenate([np.linspace(low, high, count - middle.size).round(), middle.clip(low, high)])
    kind = np.dtype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")
    return values.astype(kind).reshape(SHAPE)


def cells(
    pixels: NDArray[Any],
    *,
    stored: int,
    allocated: int = 16,
    high: int | None = None,
    litter: int | NDArray[np.int64] = 0,
    **elements: Any,
) -> Dataset:
    """An uncompressed film whose cells are laid out as said; ``litter`` fills the bits that are not the value's."""
    high = stored - 1 if high is None else high
    below, mask = high + 1 - stored, (1 << stored) - 1
    words = ((pixels.astype(np.int64) & mask) << below) | (litter & ~(mask << below) & ((1 << allocated) - 1))
    return make_film(
        words.astype(np.uint8 if allocated == 8 else np.uint16),
        bits=allocated,
        BitsStored=stored,
        HighBit=high,
        PixelRepresentation=int(np.issubdtype(pixels.dtype, np.signedinteger)),
        **elements,
    )


def table(entries: NDArray[Any], first: int, bits: int, *, packed: bool = False) -> Dataset:
    """An item of a LUT sequence; ``packed``: two entries of 8 bits in a word."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [entries.size & 0xFFFF, first & 0xFFFF, bits])
    data = entries.astype(np.uint8 if packed else "<u2").tobytes()
    item.add_new("LUTData", "OW", data + b"\0" * (len(data) % 2))
    return item


def swapped(item: Dataset) -> Dataset:
    """The same table for a big endian file: pydicom writes OW as it is given."""
    item = deepcopy(item)
    item.LUTData = np.frombuffer(item.LUTData, "<u2").byteswap().tobytes()
    return item


def curve(size: int, bits: int) -> NDArray[np.int64]:
    """Entries that rise from 0 to the most that ``bits`` hold, faster in the middle."""
    share = np.linspace(0, 1, size)
    return np.rint(share * share * (3 - 2 * share) * ((1 << bits) - 1)).astype(np.int64)


def jagged(size: int) -> NDArray[np.int64]:
    """Entries of 8 bits of which no two neighbours are alike."""
    return curve(size, 8) ^ (np.arange(size) % 2 * 32)


def window(centre: float, width: float, function: str | None = None, **elements: Any) -> dict[str, Any]:
    given = {"WindowCenter": centre, "WindowWidth": width, **elements}
    return given if function is None else given | {"VOILUTFunction": function}


def told(low: float, high: float) -> tuple[str, ...]:
    """The window from black at ``low`` to white at ``high``, as LINEAR (PS3.3 C.11.2.1.2.1) states it."""
    return ("+Ww", f"{(low + high) / 2 + 0.5:.10g}", f"{high - low + 1:.10g}")


def percentiles(values: NDArray[Any]) -> tuple[str, ...]:
    """The window that a film without a usable one is shown under."""
    low, high = np.percentile(values.astype(np.float64), (1, 99))
    return told(low, high)


def polarities() -> Iterator[Case]:
    wide = window(2048, 4096)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        for shape in (None, "IDENTITY", "INVERSE"):
            elements = wide | {"PhotometricInterpretation": photometric} | ({"PresentationLUTShape": shape} if shape else {})
            twin, why = None, ""
            if (photometric, shape) == ("MONOCHROME1", "IDENTITY"):
                twin = make_film(ramp(12), **wide, PhotometricInterpretation="MONOCHROME1")
                why = "C.8.11.3.1.2 forbids the two together; DCMTK shows MONOCHROME1 (C.7.6.3.1.2) upside down then"
            yield Case(name=f"{photometric}, shape {shape}", film=make_film(ramp(12), **elements), twin=twin, why=why)


def depths() -> Iterator[Case]:
    for number, (stored, allocated, signed) in enumerate(
        [
            *((bits, 8, False) for bits in (1, 2, 4, 7, 8)),
            *((bits, 16, False) for bits in (1, 8, 9, 10, 11, 12, 13, 14, 15, 16)),
            *((bits, 8, True) for bits in (7, 8)),
            *((bits, 16, True) for bits in (8, 10, 12, 14, 16)),
        ]
    ):
        width = 1 << stored
        given = window(0 if signed else width / 2, width, PhotometricInterpretation=f"MONOCHROME{1 + number % 2}")
        film = cells(ramp(stored, signed=signed), stored=stored, allocated=allocated, **given)
        yield Case(name=f"{stored} of {allocated} bits, {'signed' if signed else 'unsigned'}", film=film)


def layouts() -> Iterator[Case]:
    for name, stored, allocated, high, litter, signed in [
        ("high bit 15", 12, 16, 15, 0, False),
        ("high bit 13", 10, 16, 13, 0, False),
        ("high bit 7", 6, 8, 7, 0, False),
        ("high bit 15, signed", 12, 16, 15, 0, True),
        ("overlay bits above the value", 12, 16, 11, 0xF000, False),
        ("overlay bits above a signed value", 12, 16, 11, 0xA000, True),
        ("overlay bits above and below", 10, 16, 12, 0xFFFF, False),
        ("overlay bit 7", 7, 8, 6, 0x80, False),
    ]:
        width = 1 << stored
        film = cells(
            ramp(stored, signed=signed), stored=stored, allocated=allocated, high=high, litter=litter,
            **window(0 if signed else width / 2, width / 2),
        )  # fmt: skip
        yield Case(name=name, film=film)
    odd = ramp(8).ravel()[: 31 * 37].reshape(31, 37)
    for syntax, name in ((EXPLICIT_LITTLE, "explicit"), (IMPLICIT, "implicit"), (BIG, "big endian"), (RLE, "RLE")):
        yield Case(name=f"odd length, {name}", film=make_film(odd, bits=8, syntax=syntax, **window(128, 256)))


def rescales() -> Iterator[Case]:
    for slope, intercept, centre, width in [
        (2, -1000, 3000, 5000),
        (1, -2048, 0, 900),
        (-1, 4095, 2000, 900),
        (0.25, -40, 500, 900),
    ]:
        given = window(centre, width, RescaleSlope=slope, RescaleIntercept=intercept)
        yield Case(name=f"rescale {slope} {intercept}", film=make_film(ramp(12), **given))
    yield Case(
        name="rescale 0.25, narrow window",
        film=make_film(ramp(12), **window(500, 41, RescaleSlope=0.25, RescaleIntercept=-12)),
        twin=make_film(ramp(12)),
        options=told((479.5 + 12) / 0.25, (519.5 + 12) / 0.25),
        why="DCMTK cuts modality values to whole numbers; C.11.1.1.2: output = m * stored value + b",
    )


def modality_tables() -> Iterator[Case]:
    wide = window(32768, 65536)
    for name, pixels, item, given in [
        ("16 bits", ramp(12), table(curve(4096, 16), 0, 16), wide),
        ("16 bits, MONOCHROME1", ramp(12), table(curve(4096, 16), 0, 16), wide | {"PhotometricInterpretation": "MONOCHROME1"}),
        ("8 bits, packed", ramp(12), table(jagged(4096), 0, 8, packed=True), window(128, 256)),
        ("8 bits in words", ramp(12), table(curve(4096, 8), 0, 8), window(128, 256)),
        ("part of the range", ramp(12), table(curve(1000, 16), 1500, 16), wide),
        ("first value signed", ramp(12, signed=True), table(curve(4096, 16), -2048, 16), wide),
        ("first value above 32,767", ramp(16), table(curve(20000, 16), 40000, 16), wide),
        ("65,536 entries", ramp(16), table(curve(65536, 16), 0, 16), wide),
        ("falling", ramp(12), table(curve(4096, 16)[::-1], 0, 16), wide),
    ]:
        bits = 16 if pixels.max() > 4095 else 12
        for syntax in (
            (EXPLICIT_LITTLE, IMPLICIT, BIG) if name in ("8 bits, packed", "first value signed") else (EXPLICIT_LITTLE,)
        ):
            items = Sequence([swapped(item) if syntax == BIG else item])
            film = make_film(pixels, bits=bits, syntax=syntax, ModalityLUTSequence=items, **given)
            yield Case(name=f"modality LUT, {name}{_called(syntax)}", film=film)


def voi_tables() -> Iterator[Case]:
    signed = {"RescaleSlope": 1, "RescaleIntercept": -2048}
    for name, pixels, items, given in [
        ("16 bits", ramp(12), [table(curve(4096, 16), 0, 16)], {}),
        ("16 bits, MONOCHROME1", ramp(12), [table(curve(4096, 16), 0, 16)], {"PhotometricInterpretation": "MONOCHROME1"}),
        ("12 bits", ramp(12), [table(curve(4096, 12), 0, 12)], {}),
        ("8 bits, packed", ramp(12), [table(jagged(4096), 0, 8, packed=True)], {}),
        ("8 bits in words", ramp(12), [table(curve(4096, 8), 0, 8)], {}),
        ("part of the range", ramp(12), [table(curve(1500, 16), 1500, 16)], {}),
        ("ends below white", ramp(12), [table(curve(4096, 16) // 2 + 9000, 0, 16)], {}),
        ("first value signed", ramp(12, signed=True), [table(curve(4096, 16), -2048, 16)], {}),
        ("first value signed by rescale", ramp(12), [table(curve(2000, 16), -1000, 16)], signed),
        ("first value above 32,767", ramp(16), [table(curve(20000, 16), 40000, 16)], {}),
        ("first of several", ramp(12), [table(curve(4096, 16), 0, 16), table(curve(4096, 16)[::-1], 0, 16)], {}),
        ("before a window", ramp(12), [table(curve(4096, 16), 0, 16)], window(500, 100)),
        ("after a modality LUT", ramp(12), [table(curve(4096, 16), 0, 16)],
         {"ModalityLUTSequence": Sequence([table(curve(4096, 12)[::-1], 0, 12)])}),
    ]:  # fmt: skip
        bits = 16 if pixels.max() > 4095 else 12
        for syntax in (EXPLICIT_LITTLE, IMPLICIT, BIG) if "signed" in name or "packed" in name else (EXPLICIT_LITTLE,):
            sequence = Sequence([swapped(item) if syntax == BIG else item for item in items])
            film = make_film(pixels, bits=bits, syntax=syntax, VOILUTSequence=sequence, **given)
            yield Case(name=f"VOI LUT, {name}{_called(syntax)}", film=film, options=LUT)


def windows() -> Iterator[Case]:
    for name, given in {
        "narrow": window(2048, 20),
        "threshold": window(2048, 1),
        "of fractions": window(2000.3, 333.3),
        "several": window([2048, 500], [400, 900]),
        "sigmoid": window(2048, 700, "SIGMOID"),
        "sigmoid, narrow": window(2048, 30, "SIGMOID"),
        "sigmoid, MONOCHROME1": window(2048, 700, "SIGMOID", PhotometricInterpretation="MONOCHROME1"),
        "sigmoid after rescale": window(0, 1100, "SIGMOID", RescaleSlope=2, RescaleIntercept=-4096),
        "LINEAR by name": window(2048, 20, "LINEAR"),
    }.items():
        yield Case(name=f"window, {name}", film=make_film(ramp(12), **given))
    for width in (20, 1000):
        yield Case(
            name=f"window, LINEAR_EXACT {width}",
            film=make_film(ramp(12), **window(2048, width, "LINEAR_EXACT")),
            twin=make_film(ramp(12)),
            options=told(2048 - width / 2, 2048 + width / 2),
            why="DCMTK 3.6.7 takes LINEAR_EXACT (C.11.2.1.3.2) for LINEAR; told the LINEAR window of the same ends",
        )
    for name, given in {
        "none": {},
        "none, MONOCHROME1": {"PhotometricInterpretation": "MONOCHROME1"},
        "width 0": window(2048, 0),
        "width -5": window(2048, -5),
        "beside the film": window(30000, 10),
        "an unknown function": window(2048, 20, "CUBIC"),
    }.items():
        film = make_film(ramp(12), **given)
        if "VOILUTFunction" in film or "WindowWidth" in film:
            given = {}
        twin = make_film(ramp(12), **given)
        yield Case(
            name=f"window, {name}", film=film, twin=twin, options=percentiles(ramp(12)),
            why="no usable window: told the film's percentiles",
        )  # fmt: skip


def paddings() -> Iterator[Case]:
    for name, photometric, signed, value, limit in [
        ("dark", "MONOCHROME2", False, 0, None),
        ("dark, signed", "MONOCHROME2", True, -2048, None),
        ("dark, a range", "MONOCHROME2", False, 0, 20),
        ("bright, MONOCHROME1", "MONOCHROME1", False, 4095, None),
        ("bright", "MONOCHROME2", False, 4095, None),
    ]:
        pixels = ramp(12, signed=signed)
        lowest, highest = sorted((value, value if limit is None else limit))
        pixels[(pixels >= lowest) & (pixels <= highest)] = 2000  # the picture itself has none of these values
        pixels[:, :15] = value
        pixels[:, 7] = highest
        picture = np.ones(SHAPE, dtype=np.bool_)
        picture[:, :15] = False
        given: dict[str, Any] = {"PhotometricInterpretation": photometric, "PixelPaddingValue": value}
        if limit is not None:
            given["PixelPaddingRangeLimit"] = limit
        why = "DCMTK shows padding as a value; C.7.5.1.1.2: it is no picture" if name == "bright" else ""
        compared = picture if why else None
        centre = 0 if signed else 2048
        yield Case(name=f"padding {name}", film=make_film(pixels, **given, **window(centre, 3000)), why=why, compared=compared)
        yield Case(
            name=f"padding {name}, no window", film=make_film(pixels, **given), options=percentiles(pixels[picture]),
            why=why or "no usable window: told the percentiles of the picture", compared=compared,
        )  # fmt: skip


def syntaxes() -> Iterator[Case]:
    for syntax in (IMPLICIT, EXPLICIT_LITTLE, DEFLATED, BIG, RLE, LOSSLESS_57, LOSSLESS_70, JPEG_LS, JPEG_2000, HTJ2K):
        for bits in (8, 12, 16):
            given = window(1 << bits - 1, 1 << bits, PhotometricInterpretation=f"MONOCHROME{1 + (bits == 8)}")
            film = make_film(_anatomy(bits), bits=bits, syntax=syntax, **given)
            twin, why = None, ""
            if syntax in (JPEG_2000, HTJ2K):
                twin, why = (
                    make_film(_anatomy(bits), bits=bits, **given),
                    "DCMTK reads no JPEG 2000: given the uncompressed film",
                )
            yield Case(name=f"{bits} bits{_called(syntax)}", film=film, twin=twin, why=why)
    for syntax, bits in ((BASELINE, 8), (EXTENDED, 8), (EXTENDED, 12), (JPEG_LS_NEAR, 8), (JPEG_LS_NEAR, 12)):
        given = window(1 << bits - 1, 1 << bits)
        yield Case(name=f"{bits} bits{_called(syntax)}", film=make_film(_anatomy(bits), bits=bits, syntax=syntax, **given))


Family = Callable[[], Iterator[Case]]
FAMILIES: tuple[Family, ...] = (polarities, depths, layouts, rescales, modality_tables, voi_tables, windows, paddings, syntaxes)


def shown_by_us(film: bytes) -> NDArray[np.uint8]:
    """The 8-bit picture (rows, columns), as the product renders a file."""
    return preview.shades(preview.frame(read_dataset(BytesIO(film))))


def _called(syntax: str) -> str:
    return "" if syntax == EXPLICIT_LITTLE else f", {UID(syntax).name.partition(' (')[0]}"


def _anatomy(bits: int) -> NDArray[Any]:
    return anatomy(bits, *SHAPE).astype(np.uint8 if bits <= 8 else np.uint16)
