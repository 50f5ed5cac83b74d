"""Look-up tables of Modality LUT and VOI LUT Sequence; PS3.3 C.11.1.1 and C.11.2.1.1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.domain.errors import PixelError
from triage.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Table:
    """The entries, the value that is mapped to the first of them, and the highest value that an entry may have."""

    entries: NDArray[np.float64]
    first: int
    white: float

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The entry of each value: the first for all below, the last for all above (C.11.1.1.1).

        A value between two whole ones, which only a rescale can give, has the entry of the nearer one.
        """
        index = np.clip(np.rint(values) - self.first, 0, self.entries.size - 1)
        result: NDArray[np.float64] = self.entries[index.astype(np.int64)]
        return result


def read(item: Dataset, *, signed: bool) -> Table:
    """The table of a sequence item; ``signed``: the sense of the values that go into it.

    The VR of the descriptor says nothing: a file has one for three values of which two are unsigned by definition, and in
    implicit VR it is guessed.

    Raises:
        PixelError: a descriptor that describes no table, or data that do not fit it.
    """
    try:
        count, first, bits = (int(value) & 0xFFFF for value in item.LUTDescriptor)
        count = count or 0x10000  # C.11.1.1.1: 0 stands for 65,536 entries
        entries = _entries(item, count, bits)
        if entries.size != count or not 1 <= bits <= 16:
            raise ValueError("as many entries as the descriptor says")
    except Exception:  # hostile descriptors raise nearly any type
        raise PixelError(Reason.NUMERIC, "a look-up table cannot be read") from None
    # C.11.1.1.2: 0 to 2^n - 1. Entries beyond that are seen in files that understate n
    white = float(2 ** max(bits, int(entries.max()).bit_length()) - 1)
    return Table(entries.astype(np.float64), sixteen_bits(first, signed=signed), white)


def sixteen_bits(value: int, *, signed: bool) -> int:
    """A US-or-SS value in the sense it has, however it was read."""
    value &= 0xFFFF
    return value - 0x10000 if signed and value >= 0x8000 else value


def _entries(item: Dataset, count: int, bits: int) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """The entries out of words (VR OW or US); those of 8 bits are packed two in a word, or not (C.11.1.1.1)."""
    data = item.LUTData
    if isinstance(data, bytes):
        # read from a file, these are its bytes, in its order (PS3.5 7.3)
        order = ">" if item.original_encoding[1] is False else "<"
        words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=f"{order}u2").astype("<u2")
    else:
        words = np.array([int(value) & 0xFFFF for value in np.atleast_1d(data)], dtype="<u2")
    return words[:count] if words.size >= count or bits > 8 else words.view(np.uint8)[:count]
