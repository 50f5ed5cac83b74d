"""One way to say that pixel data are not what they should be."""

from triage.domain.errors import PixelError
from triage.domain.reason import Reason


def damaged(sentence: str) -> PixelError:
    """The error to raise: cannot_decode. ``sentence`` is ours and quotes nothing of the file."""
    return PixelError(Reason.CANNOT_DECODE, sentence)
