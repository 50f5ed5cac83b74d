"""C-STORE responses (PS3.4 B.2.3, PS3.7 9.1.1): each error class names its own status."""

from pydicom.dataset import Dataset

from triage.domain.errors import TriageError

SUCCESS = 0x0000
COMMENT_LENGTH = 64


def success() -> Dataset:
    """0x0000: the object is durable and indexed."""
    status = Dataset()
    status.Status = SUCCESS
    return status


def failure(error: BaseException) -> Dataset:
    """The status and ErrorComment (0000,0902) of an error; a class that nobody named is 0xC1FF."""
    kind = type(error) if isinstance(error, TriageError) else TriageError
    status = Dataset()
    status.Status = kind.status
    status.ErrorComment = kind.comment[:COMMENT_LENGTH]
    return status
