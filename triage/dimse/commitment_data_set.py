"""The data sets of storage commitment: Action Information read from hostile bytes, Event Information written.

Requests are walked by hand (PS3.5 7): a general parser makes an object of every element, and two million bytes of empty
items would keep it, and every other association, busy for seconds.
"""

from dataclasses import dataclass
from struct import error as struct_error
from struct import unpack_from

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from triage.domain.commitment import (
    MOST_BYTES,
    MOST_REFERENCES,
    TRANSFER_SYNTAXES,
    ActionInformation,
    Reference,
    Report,
    TooManyReferences,
)
from triage.domain.errors import CannotUnderstand
from triage.domain.identifiers import check_uid

EXPLICIT, IMPLICIT = TRANSFER_SYNTAXES
DEEPEST = 8
"""Sequences within sequences; a request has two."""

_TRANSACTION_UID = 0x00081195
_REFERENCED_SOP_SEQUENCE = 0x00081199
_REFERENCED_SOP_CLASS_UID = 0x00081150
_REFERENCED_SOP_INSTANCE_UID = 0x00081155
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_WANTED = frozenset((_TRANSACTION_UID, _REFERENCED_SOP_CLASS_UID, _REFERENCED_SOP_INSTANCE_UID))
_DELIMITERS = frozenset((_ITEM, _ITEM_END, _SEQUENCE_END))
_UNDEFINED = 0xFFFFFFFF
# PS3.5 table 7.1-2: these have a length of two bytes, every other VR, known or not, one of four
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())


def parse_action(data_set: bytes, transfer_syntax_uid: str) -> ActionInformation:
    """What a request asks about (PS3.4 table J.3-1); an object named twice is there once. Everything else is passed over.

    Raises:
        TooManyReferences: more than :data:`MOST_REFERENCES` items, or :data:`MOST_BYTES` bytes.
        CannotUnderstand: anything else that is not such a request, whatever its bytes are. No message holds a value.
    """
    action = _parsed(data_set, transfer_syntax_uid)
    if not action.references:
        raise CannotUnderstand("a request that names no object")
    return action


def parse_report(data_set: bytes, transfer_syntax_uid: str) -> str:
    """The Transaction UID of a report (PS3.4 table J.3-2).

    Raises:
        TooManyReferences, CannotUnderstand: as :func:`parse_action`.
    """
    return _parsed(data_set, transfer_syntax_uid).transaction_uid


def _parsed(data_set: bytes, transfer_syntax_uid: str) -> ActionInformation:
    if len(data_set) > MOST_BYTES:
        raise TooManyReferences(f"more than {MOST_BYTES} bytes")
    if transfer_syntax_uid not in TRANSFER_SYNTAXES:
        raise CannotUnderstand("a transfer syntax that was not offered")
    try:
        found = _Walk(data_set).whole(transfer_syntax_uid == EXPLICIT)
        items = found.get(_REFERENCED_SOP_SEQUENCE, [])
        references = dict.fromkeys(_reference(item) for item in items if isinstance(item, dict))
        transaction_uid = _uid(found, _TRANSACTION_UID, "TransactionUID")
    except (struct_error, UnicodeDecodeError):
        raise CannotUnderstand("it ends in the middle of an element, or its UIDs are none") from None
    return ActionInformation(transaction_uid, tuple(references))


def event_report(report: Report, transfer_syntax_uid: str) -> bytes:
    """Event Information (PS3.4 table J.3-2), encoded. Retrieve AE Title is left out: nothing is retrieved from here."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, transfer_syntax_uid == IMPLICIT
    write_dataset(stream, event_information(report))
    return stream.getvalue()


def event_information(report: Report) -> Dataset:
    """As :func:`event_report`, not encoded."""
    dataset = Dataset()
    dataset.TransactionUID = report.commitment.action.transaction_uid
    if report.failed:
        dataset.FailedSOPSequence = [_item(one.reference, one.failure.code) for one in report.failed if one.failure]
    if report.committed:
        dataset.ReferencedSOPSequence = [_item(one) for one in report.committed]
    return dataset


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item


def _reference(item: "_Elements") -> Reference:
    return Reference(
        _uid(item, _REFERENCED_SOP_CLASS_UID, "ReferencedSOPClassUID"),
        _uid(item, _REFERENCED_SOP_INSTANCE_UID, "ReferencedSOPInstanceUID"),
    )


def _uid(found: "_Elements", tag: int, keyword: str) -> str:
    """A UID without its padding (PS3.5 9.1: a trailing NULL; a space is seen as well), checked."""
    value = found.get(tag, b"")
    return check_uid(value.decode("ascii").rstrip("\0 ") if isinstance(value, bytes) else None, keyword)


class _Walk:
    """Reads the elements that matter, and steps over the rest."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items = 0

    def whole(self, explicit: bool) -> "_Elements":
        """The data set from its first byte to its last."""
        return self._data_set(_Span(0, len(self._data), False), explicit, 0)[0]

    def _data_set(self, span: "_Span", explicit: bool, depth: int) -> tuple["_Elements", int]:
        """The elements of a span that matter, and where it ends."""
        found: _Elements = {}
        at = span.begin
        while at < span.end:
            tag, inner_explicit, length, at = self._head(at, explicit)
            if tag == _ITEM_END and span.open:
                return found, at
            if tag in found or tag in _DELIMITERS or (tag in _WANTED and length == _UNDEFINED):
                raise CannotUnderstand("an element twice, or a delimiter or a sequence where none may be")
            value = span.within(at, length)
            if tag == _REFERENCED_SOP_SEQUENCE or value.open:
                items, at = self._sequence(value, inner_explicit, depth + 1)
                found |= {tag: items} if tag == _REFERENCED_SOP_SEQUENCE else {}
            else:
                found |= {tag: self._data[at : value.end]} if tag in _WANTED else {}
                at = value.end
        return found, span.ended(at)

    def _sequence(self, span: "_Span", explicit: bool, depth: int) -> tuple[list["_Elements"], int]:
        """The items of a span (PS3.5 7.5), and where it ends."""
        if depth > DEEPEST:
            raise CannotUnderstand("sequences within sequences without end")
        items: list[_Elements] = []
        at = span.begin
        while at < span.end:
            tag, _, length, at = self._head(at, False)
            if tag == _SEQUENCE_END and span.open:
                return items, at
            if tag != _ITEM:
                raise CannotUnderstand("something else than an item within a sequence")
            self._items += 1
            if self._items > MOST_REFERENCES:
                raise TooManyReferences(f"more than {MOST_REFERENCES} items")
            item, at = self._data_set(span.within(at, length), explicit, depth)
            items.append(item)
        return items, span.ended(at)

    def _head(self, at: int, explicit: bool) -> tuple[int, bool, int, int]:
        """Tag, whether what is within is Explicit VR, length and beginning of the value of the element at ``at``."""
        group, number = unpack_from("<HH", self._data, at)
        tag = group << 16 | number
        if not explicit or tag in _DELIMITERS:
            return tag, explicit, unpack_from("<I", self._data, at + 4)[0], at + 8
        vr = self._data[at + 4 : at + 6]
        if vr in _SHORT:
            return tag, explicit, unpack_from("<H", self._data, at + 6)[0], at + 8
        # PS3.5 6.2.2: within UN of undefined length stands Implicit VR
        return tag, vr != b"UN", unpack_from("<I", self._data, at + 8)[0], at + 12


_Elements = dict[int, "bytes | list[_Elements]"]


@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes from ``begin`` to before ``end``; ``open``: a delimiter ends them earlier."""

    begin: int
    end: int
    open: bool

    def within(self, at: int, length: int) -> "_Span":
        """A value of this length within this span.

        Raises:
            CannotUnderstand: it reaches beyond.
        """
        if length == _UNDEFINED:
            return _Span(at, self.end, True)
        if at + length > self.end:
            raise CannotUnderstand("an element reaches beyond what holds it")
        return _Span(at, at + length, False)

    def ended(self, at: int) -> int:
        """``at``, where the bytes were used up.

        Raises:
            CannotUnderstand: a delimiter is missing.
        """
        if self.open:
            raise CannotUnderstand("a delimiter is missing")
        return at
