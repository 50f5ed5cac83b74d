"""Sending a result to another system: what can be sent, and how a try ends."""

from dataclasses import dataclass
from typing import ClassVar

from triage.domain.errors import TriageError


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomObject:
    """One SOP Instance that we made: ``content`` is a whole Part 10 file (PS3.10)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the peer said when it took a result. ``status``: its own word (``0x0000``, ``HTTP 200``, ``AA``).

    ``committed``: whether it has also said that it will keep the objects (PS3.4 Annex J); ``None``: it was not asked.
    """

    status: str
    committed: bool | None = None


class NotDelivered(TriageError):
    """A try that failed. The message names the peer's word and holds no patient data. ``status`` on the wire is not ours."""

    alarm: ClassVar[bool] = False
    retry: ClassVar[bool] = True


class PeerAway(NotDelivered):
    """The peer does not answer, or says that it cannot take anything now: the same thing may work later."""


class PeerRefused(NotDelivered):
    """The peer will not take it however often it is sent: a person has to look."""

    alarm, retry = True, False
