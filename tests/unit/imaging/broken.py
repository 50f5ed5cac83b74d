"""The pixel path broken on purpose, one way at a time: the parity matrix must notice each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.imaging import parity
from triage.imaging import codecs, grayscale, lookup, preview
from triage.imaging.elements import code, integer, number

Break = Callable[[pytest.MonkeyPatch], None]


def never_inverted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(grayscale, "is_inverted", lambda dataset: False)


def inverted_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        grayscale,
        "is_inverted",
        lambda dataset: (
            (code(dataset, "PhotometricInterpretation") == "MONOCHROME1")
            != (code(dataset, "PresentationLUTShape") == "INVERSE")
        ),
    )


def shape_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(grayscale, "is_inverted", lambda dataset: code(dataset, "PhotometricInterpretation") == "MONOCHROME1")


def window_off_by_half(patch: pytest.MonkeyPatch) -> None:
    def ends(window: grayscale.Window) -> tuple[float, float]:
        return window.centre - window.width / 2 + 0.5, window.centre + window.width / 2 - 0.5

    patch.setattr(grayscale.Window, "ends", property(ends))


def window_one_too_wide(patch: pytest.MonkeyPatch) -> None:
    def ends(window: grayscale.Window) -> tuple[float, float]:
        return window.centre - window.width / 2, window.centre + window.width / 2

    patch.setattr(grayscale.Window, "ends", property(ends))


def exact_as_linear(patch: pytest.MonkeyPatch) -> None:
    given = grayscale.window_of

    def window_of(dataset: Any) -> grayscale.Window | None:
        window = given(dataset)
        exact = window is not None and window.function == "LINEAR_EXACT"
        return grayscale.Window("LINEAR", window.centre, window.width) if window and exact else window

    patch.setattr(grayscale, "window_of", window_of)


def sigmoid_as_linear(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(grayscale._WINDOWS, "SIGMOID", grayscale.linear)


def second_window(patch: pytest.MonkeyPatch) -> None:
    def last(dataset: Any, keyword: str) -> float | None:
        value = dataset.get(keyword)
        return float(value[-1]) if hasattr(value, "append") else number(dataset, keyword)

    patch.setattr(grayscale, "number", last)


def window_despite_a_table(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(preview, "items", lambda dataset, keyword: [])
    given = grayscale.items
    patch.setattr(grayscale, "items", lambda dataset, keyword: [] if keyword == "VOILUTSequence" else given(dataset, keyword))


def second_table(patch: pytest.MonkeyPatch) -> None:
    given = grayscale.items
    patch.setattr(grayscale, "items", lambda dataset, keyword: given(dataset, keyword)[::-1])


def rescale_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(grayscale, "_rescale", lambda dataset: (1.0, 0.0))


def slope_without_sign(patch: pytest.MonkeyPatch) -> None:
    given = grayscale._rescale
    patch.setattr(grayscale, "_rescale", lambda dataset: (abs(given(dataset)[0]), given(dataset)[1]))


def table_stretched_to_its_entries(patch: pytest.MonkeyPatch) -> None:
    given = lookup.read

    def read(item: Any, *, signed: bool) -> lookup.Table:
        table = given(item, signed=signed)
        return lookup.Table(table.entries - table.entries.min(), table.first, float(np.ptp(table.entries)))

    patch.setattr(lookup, "read", read)


def first_value_unsigned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lookup, "sixteen_bits", lambda value, *, signed: value & 0xFFFF)


def first_value_signed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lookup, "sixteen_bits", lambda value, *, signed: (value & 0xFFFF) - (0x10000 if value & 0x8000 else 0))


def first_value_by_the_pixels_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(grayscale, "_may_be_negative", grayscale._is_signed)


def table_in_little_endian(patch: pytest.MonkeyPatch) -> None:
    given = lookup.read

    def read(item: Any, *, signed: bool) -> lookup.Table:
        item.set_original_encoding(False, True)
        return given(item, signed=signed)

    patch.setattr(lookup, "read", read)


def packed_entries_high_byte_first(patch: pytest.MonkeyPatch) -> None:
    given = lookup._entries

    def entries(item: Any, count: int, bits: int) -> Any:
        found = given(item, count, bits)
        return found.reshape(-1, 2)[:, ::-1].ravel() if found.dtype == np.uint8 else found

    patch.setattr(lookup, "_entries", entries)


def sign_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(codecs, "_signed", lambda pixels, bits_stored: pixels)


def sign_of_the_cell(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(codecs, "_signed", lambda pixels, bits_stored: pixels.astype(np.uint16).view(np.int16))


def high_bit_ignored(patch: pytest.MonkeyPatch) -> None:
    given = codecs.describe

    def describe(dataset: Any) -> codecs.PixelDescription:
        description = given(dataset)
        return replace(description, high_bit=description.bits_stored - 1)

    patch.setattr(codecs, "describe", describe)


def unused_bits_kept(patch: pytest.MonkeyPatch) -> None:
    def stored_bits(cells: Any, description: codecs.PixelDescription) -> Any:
        pixels = (cells >> (description.high_bit + 1 - description.bits_stored)).reshape(description.rows, description.columns)
        return codecs._signed(pixels, description.bits_stored) if description.signed else pixels

    patch.setattr(codecs, "_stored_bits", stored_bits)


def byte_order(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(codecs.DECODERS, "1.2.840.10008.1.2.2", codecs.DECODERS["1.2.840.10008.1.2"])


def padding_as_picture(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(grayscale, "padding", lambda stored, dataset: np.zeros(stored.shape, dtype=np.bool_))


def padding_without_its_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(grayscale, "padding", lambda stored, dataset: stored == integer(dataset, "PixelPaddingValue"))


def padding_shown_bright(patch: pytest.MonkeyPatch) -> None:
    given = preview.shades
    patch.setattr(preview, "shades", lambda film: np.where(film.values == 0, 255, given(film)))


def percentiles_of_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(preview, "DARKEST", 0.0)
    patch.setattr(preview, "BRIGHTEST", 100.0)


BREAKS: dict[Break, parity.Family] = {
    never_inverted: parity.polarities,
    inverted_twice: parity.polarities,
    shape_ignored: parity.polarities,
    sign_ignored: parity.depths,
    sign_of_the_cell: parity.depths,
    high_bit_ignored: parity.layouts,
    unused_bits_kept: parity.layouts,
    byte_order: parity.syntaxes,
    rescale_ignored: parity.rescales,
    slope_without_sign: parity.rescales,
    first_value_unsigned: parity.modality_tables,
    first_value_signed: parity.modality_tables,
    table_in_little_endian: parity.modality_tables,
    packed_entries_high_byte_first: parity.modality_tables,
    first_value_by_the_pixels_alone: parity.voi_tables,
    table_stretched_to_its_entries: parity.voi_tables,
    second_table: parity.voi_tables,
    window_despite_a_table: parity.voi_tables,
    window_off_by_half: parity.windows,
    window_one_too_wide: parity.windows,
    exact_as_linear: parity.windows,
    sigmoid_as_linear: parity.windows,
    second_window: parity.windows,
    percentiles_of_everything: parity.windows,
    padding_as_picture: parity.paddings,
    padding_without_its_limit: parity.paddings,
    padding_shown_bright: parity.paddings,
}
"""Each with the family of the matrix that must notice it."""
