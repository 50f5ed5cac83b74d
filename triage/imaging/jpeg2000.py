"""JPEG 2000 and HTJ2K codestreams decoded at reduced resolution, where that gives the low band of the whole film."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triage.imaging.jpeg2000_stream import Jpeg2000Stream
from triage.imaging.pyramid import halved


def reduced(codestream: bytes, stream: Jpeg2000Stream, levels: int) -> NDArray[Any]:
    """The low band after ``levels`` (see :func:`triage.imaging.pyramid.low_band`), cut off at the range of its bits.

    Raises:
        OSError, ValueError: it cannot be decoded.
    """
    with Image.open(BytesIO(codestream), formats=("JPEG2000",)) as image:
        image.reduce = levels  # type: ignore[method-assign, assignment]
        # Pillow rounds the reduced size to the nearest, the standard upwards: it is given one that both divide alike
        image._size = (halved(stream.columns, levels) << levels, halved(stream.rows, levels) << levels)
        image.load()
        # 9 to 16 bits come in the upper bits of a word
        return np.asarray(image) >> (0 if stream.precision <= 8 else 16 - stream.precision)
