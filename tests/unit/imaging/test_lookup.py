"""Look-up tables against the words of PS3.3 C.11.1.1.1 and C.11.2.1.1, however their values are written."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config, dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.encoders import NATIVE
from tests.unit.imaging.conftest import file_object, make_film
from tests.unit.imaging.parity import BIG, swapped, table
from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import grayscale
from triage.imaging.lookup import read


def by_the_standard(value: float, first: int, entries: list[int]) -> int:
    """All below the first value mapped have the first entry, all above the last value mapped the last."""
    if value < first:
        return entries[0]
    if value >= first + len(entries):
        return entries[-1]
    return entries[round(value) - first]


entries_of = st.integers(1, 16).flatmap(
    lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=40))
)


@settings(deadline=None, max_examples=150)
@given(entries_of, st.booleans(), st.integers(-0x8000, 0xFFFF), st.lists(st.integers(-70000, 70000), min_size=1, max_size=20))
def test_any_table_is_read_by_the_standard(table_: tuple[int, list[int]], signed: bool, first: int, around: list[int]) -> None:
    bits, entries = table_
    sense = first & 0xFFFF
    sense = sense - 0x10000 if signed and sense >= 0x8000 else sense
    values = [sense + offset % (2 * len(entries)) - len(entries) // 2 for offset in around] + around
    found = read(table(np.array(entries), first, bits), signed=signed)
    assert found.of(np.array(values, dtype=np.float64)).tolist() == [by_the_standard(value, sense, entries) for value in values]
    assert found.white == (1 << bits) - 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=31), st.sampled_from(NATIVE))
def test_however_8_bits_are_written_they_are_the_same_entries(entries: list[int], syntax: str) -> None:
    written = [table(np.array(entries), 0, 8, packed=packed) for packed in (True, False)]
    words = Dataset()
    words.add_new("LUTDescriptor", "US", [len(entries), 0, 8])
    words.add_new("LUTData", "US", entries)
    for item in (*written, words):
        item = swapped(item) if syntax == BIG and item is not words else item
        film = dcmread(BytesIO(file_object(make_film(syntax=syntax, ModalityLUTSequence=Sequence([item])))))
        assert read(film.ModalityLUTSequence[0], signed=False).entries.tolist() == entries


@pytest.mark.parametrize(
    ("elements", "first", "sense"),
    [
        ({}, 0xFC00, 0xFC00),
        ({"PixelRepresentation": 1}, 0xFC00, -0x400),
        ({"RescaleIntercept": -1024}, 0xFC00, -0x400),
        ({"RescaleSlope": -1, "RescaleIntercept": 4000}, 0xFC00, -0x400),  # 12 bits: -95 at the least
        ({"RescaleSlope": -1, "RescaleIntercept": 4095}, 0xFC00, 0xFC00),
        ({"PixelRepresentation": 1, "RescaleIntercept": 2048}, 0xFC00, 0xFC00),
        ({"PixelRepresentation": 1, "ModalityLUTSequence": [table(np.arange(4), 0, 16)]}, 0xFC00, 0xFC00),
    ],
)
def test_the_first_value_of_a_voi_table_has_the_sign_of_what_may_come_in(
    elements: dict[str, Any], first: int, sense: int
) -> None:
    """Not of what does come in: a film without a low value is the same film (C.11.2.1.1)."""
    dataset = Dataset()
    dataset.BitsStored = 12
    for keyword, value in ({"VOILUTSequence": [table(np.array([0, 100, 200, 255]), first, 8)]} | elements).items():
        setattr(dataset, keyword, value)
    values = np.array([sense - 1, sense, sense + 1, sense + 2, sense + 3, sense + 9], dtype=np.float64)
    assert np.allclose(grayscale.voi(values, dataset) * 255, [0, 0, 100, 200, 255, 255])


def test_a_descriptor_written_as_signed_is_the_same() -> None:
    item = table(np.arange(0x8000), 0, 16)
    item.add(DataElement("LUTDescriptor", "SS", [-0x8000, -0x8000, 16], validation_mode=config.IGNORE))
    found = read(item, signed=False)
    assert (found.entries.size, found.first) == (0x8000, 0x8000)


def test_entries_beyond_the_bits_the_descriptor_states_are_kept() -> None:
    assert read(table(np.array([0, 4095]), 0, 8), signed=False).white == 4095


def broken(descriptor: Any, data: Any) -> Dataset:
    item = Dataset()
    if descriptor is not None:
        item.add_new("LUTDescriptor", "US", descriptor)
    if data is not None:
        item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return item


@pytest.mark.parametrize(
    "item",
    [
        broken(None, None),
        broken([4, 0, 8], None),
        broken(None, b"\0\0"),
        broken([4, 0], [1, 2, 3, 4]),
        broken([4, 0, 0], [1, 2, 3, 4]),
        broken([4, 0, 17], [1, 2, 3, 4]),
        broken([5, 0, 16], [1, 2, 3, 4]),
        broken([0, 0, 16], [1, 2, 3, 4]),
        broken([9, 0, 8], b"\1\2\3\4"),
        broken([4, 0, 12], b"\1\2\3\4"),  # 12 bits do not fit into a byte
        broken([4, 0, 16], b""),
    ],
)
def test_a_table_that_is_none_is_refused(item: Dataset) -> None:
    with pytest.raises(PixelError) as caught:
        read(item, signed=False)
    assert caught.value.reason is Reason.NUMERIC
