"""Headers and frames of films that are not what they say: a reason, or JSON that a viewer can read; nothing else comes out."""

import json
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.films import film
from triage.domain.errors import PixelError
from triage.imaging.header import read_dataset
from triage.imaging.metadata import INLINE_BYTES, MOST_DEPTH, bulk_value, header_json
from triage.imaging.stored_frame import explicit_frame, frame_count, stored_frame
from triage.web.dicomweb.json_model import model_of

WHOLE = film(rows=6, columns=4, WindowCenter="2000", SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Å")
CHANGES = st.lists(st.tuples(st.integers(132, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=12)


def told(**elements: Any) -> dict[str, Any]:
    return model_of(header_json(BytesIO(film(rows=6, columns=4, **elements))))


@given(CHANGES, st.integers(0, len(WHOLE)))
@settings(max_examples=300, deadline=None)
def test_any_damage_is_a_reason_or_a_header(changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(WHOLE)
    for place, value in changes:
        damaged[place] = value
    for data in (bytes(damaged), bytes(damaged[:length])):
        with suppress(PixelError):
            model_of(header_json(BytesIO(data)))
        with suppress(PixelError):
            bulk_value(BytesIO(data), "00282000")
        for make in (stored_frame, explicit_frame):
            with suppress(PixelError):
                dataset = read_dataset(BytesIO(data))
                if frame_count(dataset) >= 1:
                    make(dataset, 1)


def test_what_cannot_be_told_is_left_out_and_the_rest_is_told() -> None:
    header = told(WindowCenter="", PatientName="Å^B=林^明", SpecificCharacterSet="ISO_IR 192")
    assert header["00100010"]["Value"] == [{"Alphabetic": "Å^B", "Ideographic": "林^明"}]
    raw = film(rows=6, columns=4, WindowCenter="2000", WindowWidth="1001")
    broken = raw.replace(b"2000", b"nan ").replace(b"1001", b"1e99")
    header = model_of(header_json(BytesIO(broken)))
    assert "00281050" not in header, "JSON knows no such number"
    assert header["00280010"]["Value"] == [6]
    assert json.loads(header_json(BytesIO(broken)))


def test_long_values_are_referred_to_and_look_up_tables_are_not() -> None:
    lut = Dataset()
    lut.LUTDescriptor = [4096, 0, 16]
    lut.LUTData = bytes(8192)
    header = told(ICCProfile=bytes(INLINE_BYTES + 2), VOILUTSequence=Sequence([lut]))
    assert header["00282000"] == {"vr": "OB", "BulkDataURI": "00282000"}
    assert "InlineBinary" in header["00283010"]["Value"][0]["00283006"] or "Value" in header["00283010"]["Value"][0]["00283006"]
    assert bulk_value(BytesIO(film(ICCProfile=b"\1" * (INLINE_BYTES + 2))), "00282000") == b"\1" * (INLINE_BYTES + 2)
    for tag in ("00100010", "00280010", "7FE00010", "FFFFFFFF", "00000000"):
        assert bulk_value(BytesIO(WHOLE), tag) is None, tag


def test_sequences_without_end_are_cut() -> None:
    inner = Dataset()
    inner.CodeMeaning = "the innermost"
    for _ in range(MOST_DEPTH + 5):
        outer = Dataset()
        outer.ConceptNameCodeSequence = Sequence([inner])
        inner = outer
    assert b"the innermost" not in header_json(BytesIO(film(ConceptNameCodeSequence=inner.ConceptNameCodeSequence)))


def test_a_header_of_more_bytes_than_any_film_has_is_refused() -> None:
    with pytest.raises(PixelError):
        told(TextValue="x" * (5 << 20))


@pytest.mark.parametrize(
    "elements",
    [
        {"NumberOfFrames": "10001"},
        {"NumberOfFrames": "-1"},
        {"NumberOfFrames": "2"},
        {"Rows": 0},
        {"BitsAllocated": 7},
        {"PixelData": None},
    ],
)
def test_frames_that_are_not_there_are_not_made_up(elements: dict[str, Any]) -> None:
    dataset = read_dataset(BytesIO(film(**{"rows": 6, "columns": 4, **elements})))
    with pytest.raises(PixelError):
        stored_frame(dataset, 1)
