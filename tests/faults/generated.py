"""Objects drawn by hypothesis: tags, pixel data, transfer syntaxes and damage, each whole, wrong or absent."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.encoders import ENCODERS, NATIVE
from tests.faults.damage import KINDS
from tests.faults.objects import END_OF_SEQUENCE, UNDEFINED, resyntaxed
from tests.films import film, pixels

_HEADER: dict[str, st.SearchStrategy[Any]] = {
    "Rows": st.sampled_from([0, 1, 31, 33, 65_535]),
    "Columns": st.sampled_from([0, 1, 31, 33, 65_535]),
    "BitsAllocated": st.sampled_from([1, 8, 12, 32]),
    "BitsStored": st.integers(0, 20),
    "HighBit": st.integers(0, 20),
    "PixelRepresentation": st.sampled_from([1, 2]),
    "SamplesPerPixel": st.sampled_from([0, 2, 3]),
    "PhotometricInterpretation": st.sampled_from(["MONOCHROME1", "RGB", "", "MONOCHROME3"]),
    "NumberOfFrames": st.sampled_from(["0", "1", "2", "-5", "2000000000"]),
    "WindowCenter": st.sampled_from(["0", "-1e30", "2048", "1e308"]),
    "WindowWidth": st.sampled_from(["0", "-1", "1", "1e308", "1e-300"]),
    "VOILUTFunction": st.sampled_from(["SIGMOID", "LINEAR_EXACT", "X"]),
    "RescaleSlope": st.sampled_from(["0", "1e300", "-1", "1e-300"]),
    "RescaleIntercept": st.sampled_from(["1e308", "-1024"]),
    "PixelPaddingValue": st.sampled_from([0, 4095]),
    "PatientAge": st.sampled_from(["009Y", "999Y", "X", ""]),
    "ViewPosition": st.sampled_from(["LL", "AP", "", "?"]),
    "Modality": st.sampled_from(["CT", "CR", ""]),
    "BodyPartExamined": st.sampled_from(["HAND", "", "CHEST"]),
    "SpecificCharacterSet": st.sampled_from(["ISO_IR 192", "ISO 2022 IR 87", "nonsense"]),
}
"""What may stand instead of what is right; any of them may be absent as well."""


@st.composite
def hostile_objects(draw: st.DrawFn) -> bytes:
    """A Part 10 object: most of it right, so that it comes far, and something of it wrong."""
    wrong = draw(st.lists(st.sampled_from(sorted(_HEADER)), max_size=3, unique=True))
    elements = {keyword: draw(st.none() | _HEADER[keyword]) for keyword in wrong}
    if elements.get("PixelRepresentation", 0) is None:  # without it, nobody can write a value whose VR hangs on it
        elements.pop("PixelPaddingValue", None)
    syntax = draw(st.sampled_from(sorted(ENCODERS)))
    generator = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    bits = 8 if syntax.endswith(".50") else 12
    cells = pixels(32, 32, 0.25)
    if bits == 8:
        cells = (cells >> 4).astype("u1")
        elements = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7} | elements
    stream = ENCODERS[syntax](cells, bits)
    kind = draw(st.none() | st.sampled_from(KINDS))
    if kind is not None and len(stream) > 500:
        stream = kind(stream, 20, generator)
    if syntax in NATIVE:
        whole = film(rows=32, columns=32, PixelData=stream + b"\0" * (len(stream) % 2), **elements)
        data = resyntaxed(whole, syntax) if draw(st.booleans()) else whole
    else:
        whole = film(rows=32, columns=32, PixelData=None, **elements)
        items = b"\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0" + len(stream).to_bytes(4, "little") + stream
        data = resyntaxed(whole, syntax) + b"\xe0\x7f\x10\0OB\0\0" + UNDEFINED + items + END_OF_SEQUENCE
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data
