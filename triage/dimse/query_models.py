"""The Query/Retrieve Information Models that are offered (PS3.4 C.6): their SOP classes, levels and statuses, as tables."""

from dataclasses import dataclass
from enum import IntEnum

from triage.domain.query_keys import QueryLevel

TRANSFER_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Of identifiers, the preferred one first."""


class Status(IntEnum):
    """Of responses (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4)."""

    SUCCESS = 0x0000
    CLASS_NOT_SUPPORTED = 0x0122
    OUT_OF_RESOURCES = 0xA700
    UNABLE_TO_PERFORM = 0xA702
    DESTINATION_UNKNOWN = 0xA801
    IDENTIFIER_MISMATCH = 0xA900
    SOME_FAILED = 0xB000
    UNABLE_TO_PROCESS = 0xC001
    UNEXPECTED = 0xC1FF
    CANCELLED = 0xFE00
    PENDING = 0xFF00
    PENDING_SOME_KEYS_IGNORED = 0xFF01


MEANINGS: dict[Status, str] = {
    Status.SUCCESS: "everything was told, or sent",
    Status.CLASS_NOT_SUPPORTED: "the operation is not one of the presentation context's SOP class",
    Status.OUT_OF_RESOURCES: "too many queries at a time, more matches than a query may have, or the database does not answer",
    Status.UNABLE_TO_PERFORM: "no film could be sent",
    Status.DESTINATION_UNKNOWN: "the move destination is not in dimse.move_destinations",
    Status.IDENTIFIER_MISMATCH: "no or an unknown level, or a unique key above it without its one value",
    Status.SOME_FAILED: "some films could not be sent: Failed SOP Instance UID List (0008,0058)",
    Status.UNABLE_TO_PROCESS: "the identifier cannot be read, or a key cannot be a value of its representation",
    Status.UNEXPECTED: "an error of ours; the log has its place",
    Status.CANCELLED: "ended by C-CANCEL",
    Status.PENDING: "a match; all keys were supported",
    Status.PENDING_SOME_KEYS_IGNORED: "a match; some keys are not supported at this level and were ignored",
}


@dataclass(frozen=True, slots=True)
class Model:
    """A SOP class: ``operation`` is ``FIND``, ``GET`` or ``MOVE``; ``levels`` from the top down."""

    name: str
    operation: str
    levels: tuple[QueryLevel, ...]


_ALL = tuple(QueryLevel)

MODELS: dict[str, Model] = {
    "1.2.840.10008.5.1.4.1.2.2.1": Model("Study Root Query/Retrieve Information Model - FIND", "FIND", _ALL[1:]),
    "1.2.840.10008.5.1.4.1.2.1.1": Model("Patient Root Query/Retrieve Information Model - FIND", "FIND", _ALL),
    "1.2.840.10008.5.1.4.1.2.2.3": Model("Study Root Query/Retrieve Information Model - GET", "GET", _ALL[1:]),
    "1.2.840.10008.5.1.4.1.2.1.3": Model("Patient Root Query/Retrieve Information Model - GET", "GET", _ALL),
    "1.2.840.10008.5.1.4.1.2.2.2": Model("Study Root Query/Retrieve Information Model - MOVE", "MOVE", _ALL[1:]),
    "1.2.840.10008.5.1.4.1.2.1.2": Model("Patient Root Query/Retrieve Information Model - MOVE", "MOVE", _ALL),
}
"""By SOP Class UID."""


def of_operations(*operations: str) -> dict[str, tuple[str, ...]]:
    """Transfer syntaxes by SOP class, as they are offered in an association."""
    return {uid: TRANSFER_SYNTAXES for uid, model in MODELS.items() if model.operation in operations}
