"""One way to say that pixel data are not what they should be."""

from triage.domain.errors import PixelError
from triage.domain.reason import Reason

_TAIL = 16


def is_padding(behind: bytes) -> bool:
    """Whether what stands behind the end of a codestream is let pass: few bytes of any kind, or only 0x00, or only 0xFF.

    0x00 may stand around 0xFF, for it makes a fragment's length even (PS3.5 A.4).
    """
    return len(behind) <= _TAIL or not behind.strip(b"\0").strip(b"\xff")


def damaged(sentence: str) -> PixelError:
    """The error to raise: cannot_decode. ``sentence`` is ours and quotes nothing of the file."""
    return PixelError(Reason.CANNOT_DECODE, sentence)
