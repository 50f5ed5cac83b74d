"""Results by STOW-RS (PS3.18 10.5): the objects of one result in one request, each answered for itself."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from triage.domain.delivery import DicomObject, PeerAway, PeerRefused, Receipt
from triage.domain.result import Result
from triage.domain.store_status import SUCCESS, check_taken
from triage.outbound.http import Posting

Make = Callable[[Result, tuple[Result, ...]], Sequence[DicomObject]]
"""The objects that a result is sent as, the report first."""

OK, ACCEPTED, CONFLICT = 200, 202, 409
"""PS3.18 table 10.5.3-1: all stored; some with warnings or failures; none stored."""
_FAILED, _REFERENCED = "00081198", "00081199"  # Failed SOP Sequence, Referenced SOP Sequence
_INSTANCE, _FAILURE, _WARNING = "00081155", "00081197", "00081196"  # Referenced SOP Instance UID, Failure and Warning Reason


class StowTransport:
    """See :class:`triage.services.transport.Transport`. ``url``: the service's root, before ``/studies``."""

    def __init__(self, url: str, *, token: str, within_seconds: float, make: Make) -> None:
        self._posting = Posting(url.rstrip("/") + "/studies", token=token, within_seconds=within_seconds)
        self._make = make

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        """Make the objects and store them; see the Protocol."""
        objects = self._make(result, predecessors)
        content_type, body = multipart([one.content for one in objects])
        reply = self._posting.post(body, {"Content-Type": content_type, "Accept": "application/dicom+json"})
        if reply.status not in (OK, ACCEPTED, CONFLICT):
            raise self._posting.failure(reply.status)
        told, remarks = statuses(reply.body), list[str]()
        self._check(objects[0], told, reply.status)
        for one in objects[1:]:
            try:
                self._check(one, told, reply.status)
            except PeerRefused as error:  # the report is there, and counts: the next one has to name it
                remarks.append(f"; {error}")
        return Receipt(status=f"HTTP {reply.status}{''.join(remarks)}")

    def _check(self, one: DicomObject, told: Mapping[str, int], answered: int) -> None:
        status = told.get(one.sop_instance_uid, SUCCESS if answered == OK and not told else None)
        if status is None and answered == CONFLICT:
            raise self._posting.failure(answered)
        if status is None:
            raise PeerAway(f"HTTP {answered}, and not a word of the object {one.sop_instance_uid}")
        check_taken(status, "the object")

    def close(self) -> None:
        """Nothing is kept open."""


def multipart(parts: Sequence[bytes]) -> tuple[str, bytes]:
    """Content-Type and body of DICOM objects (RFC 2387); the boundary is made of what it must not occur in."""
    boundary = sha256(b"".join(parts)).hexdigest()
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f'multipart/related; type="application/dicom"; boundary={boundary}', body


def statuses(body: bytes) -> dict[str, int]:
    """What a Store Instances Response (PS3.18 10.5.3.2, JSON) says of each SOP Instance UID; nothing where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    document = found[0] if isinstance(found, list) and found else found
    taken = {uid: _number(item, _WARNING, SUCCESS) for uid, item in _items(document, _REFERENCED)}
    failed = {uid: _number(item, _FAILURE, 0xC000) for uid, item in _items(document, _FAILED)}
    return taken | failed


def _items(document: Any, tag: str) -> list[tuple[str, Mapping[str, Any]]]:
    element = document.get(tag) if isinstance(document, dict) else None
    listed = element.get("Value") if isinstance(element, dict) else None
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return [(str(_value(item, _INSTANCE)), item) for item in items]


def _number(item: Mapping[str, Any], tag: str, otherwise: int) -> int:
    value = _value(item, tag)
    return value if isinstance(value, int) and 0 <= value <= 0xFFFF else otherwise


def _value(item: Mapping[str, Any], tag: str) -> Any:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None
