"""A received file object becomes what the worker needs of it: what its tags say, and the tensor or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.codecs import PixelDescription, describe
from triage.imaging.eligibility import Intended, examine
from triage.imaging.header import read_dataset
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

SMALLEST = 32
"""Rows and columns below which a picture is no film that anybody could read."""
LONGEST = 4
"""Times the shorter side that the longer one may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One film. ``by_tags``: why it must not be scored, by its header, or ``None``; the tensor is made all the same.

    ``tensor``: float32 (height, width, 1), finite, within 0..1; or ``by_pixels``: why there is none. Exactly one of the two.
    """

    by_tags: Reason | None = None
    tensor: NDArray[np.float32] | None = None
    by_pixels: Reason | None = None

    def __post_init__(self) -> None:
        if (self.tensor is None) == (self.by_pixels is None):
            raise ValueError("either a tensor or the reason why there is none")


def prepare(
    stream: BinaryIO, spec: PreprocessingSpec, intended: Intended, tell: Callable[[Reason | None], object] = lambda _: None
) -> Prepared:
    """Parse, examine, decode, preprocess. Never raises for what a film holds.

    ``tell`` hears what the tags say before a pixel is touched: whoever dies of the pixels has said that much.
    """
    by_tags = None
    try:
        dataset = read_dataset(stream)
        by_tags = examine(dataset, intended.min_age_years, intended.received_on)
        tell(by_tags)
        tensor = preprocess(dataset, spec)
        if _too_small_or_long(describe(dataset)):
            return Prepared(by_tags=by_tags, by_pixels=Reason.DOUBTFUL_IMAGE)
        return Prepared(by_tags=by_tags, tensor=tensor)
    except PixelError as error:
        return Prepared(by_tags=by_tags, by_pixels=error.reason)
    except Exception:  # hostile bytes make the libraries raise nearly any type, MemoryError among them
        return Prepared(by_tags=by_tags, by_pixels=Reason.CANNOT_DECODE)


def _too_small_or_long(film: PixelDescription) -> bool:
    shorter, longer = sorted((film.rows, film.columns))
    return shorter < SMALLEST or longer > LONGEST * shorter
