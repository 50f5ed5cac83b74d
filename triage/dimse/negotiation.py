"""The A-ASSOCIATE-RQ and what answers it (PS3.8 9.3.2, 9.3.3; PS3.7 D.3): bytes in, values and bytes out."""

import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from triage.dimse.pdu import A_ASSOCIATE_AC, MAXIMUM_LENGTH, ProtocolError, pdu

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"

# result of a presentation context (PS3.8 Table 9-18)
ACCEPTED, USER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 0, 1, 3, 4

_FIXED = struct.Struct(">HH16s16s32x")
_APPLICATION, _CONTEXT_RQ, _CONTEXT_AC, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAXIMUM_LENGTH, _IMPLEMENTATION_CLASS, _ROLES, _IMPLEMENTATION_VERSION = 0x51, 0x52, 0x54, 0x55
_NAME = re.compile(rb"[0-9.]{0,64}")
_MOST_ITEMS = 1024
"""Of one level: 128 presentation contexts (odd numbers of one byte) and what a verbose peer may add."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context as the requestor proposes it."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Request:
    """What an A-ASSOCIATE-RQ asks for. ``roles``: by SOP class, whether the requestor would be SCU, and SCP."""

    called_ae_title: str
    calling_ae_title: str
    titles: bytes
    protocol_version: int
    application_context: bytes = b""
    proposed: dict[int, Proposed] = field(default_factory=dict)
    maximum_length: int = 0
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context, and the roles of the requestor in it (PS3.7 D.3.3.4)."""

    abstract_syntax: str
    transfer_syntax: str
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False


def parse_request(content: bytes) -> Request:
    """The content of an A-ASSOCIATE-RQ.

    Raises:
        ProtocolError: lengths that do not add up, names that are none, numbers that are taken or not odd.
    """
    if len(content) < _FIXED.size:
        raise ProtocolError("an A-ASSOCIATE-RQ that is too short")
    version, _, called, calling = _FIXED.unpack_from(content)
    request = Request(
        called_ae_title=_title(called), calling_ae_title=_title(calling), titles=content[4:36], protocol_version=version
    )
    for kind, item in _items(content[_FIXED.size :]):
        if kind == _APPLICATION:
            request.application_context = item.rstrip(b"\0 ")
        elif kind == _CONTEXT_RQ:
            _propose(request, item)
        elif kind == _USER:
            _user_information(request, item)
    if not request.proposed:
        raise ProtocolError("an A-ASSOCIATE-RQ without presentation context")
    return request


def negotiate(
    request: Request, offered: Mapping[str, Sequence[str]], sent: Collection[str] = ()
) -> tuple[dict[int, Context], bytes]:
    """What is accepted of it, by context ID, and the A-ASSOCIATE-AC.

    ``offered``: transfer syntaxes by abstract syntax, in the order in which we prefer them. ``sent``: those of which the
    requestor may be SCP, for films that it fetches. Of all others we are the SCP: a requestor that would only be SCP itself is
    refused the context (PS3.7 D.3.3.4).
    """
    accepted: dict[int, Context] = {}
    items = [_item(_APPLICATION, APPLICATION_CONTEXT)]
    for context_id, proposed in sorted(request.proposed.items()):
        roles = _roles(request, proposed.abstract_syntax, sent)
        result, syntax = _judge(roles, proposed, offered)
        if result == ACCEPTED:
            accepted[context_id] = Context(proposed.abstract_syntax, syntax, *roles)
        transfer = _item(_TRANSFER, syntax.encode("ascii"))
        items.append(_item(_CONTEXT_AC, bytes([context_id, 0, result, 0]) + transfer))
    items.append(_item(_USER, _answered_user_information(request, accepted)))
    return accepted, pdu(A_ASSOCIATE_AC, struct.pack(">HH32s32x", 1, 0, request.titles) + b"".join(items))


IMPLEMENTATION_CLASS_UID = "2.25.302684286193171927131637486146962213873"
IMPLEMENTATION_VERSION_NAME = "CHEST_TRIAGE_0_1"


def _roles(request: Request, abstract_syntax: str, sent: Collection[str]) -> tuple[bool, bool]:
    would_be_scu, would_be_scp = request.roles.get(abstract_syntax, (True, False))
    return would_be_scu, would_be_scp and abstract_syntax in sent


def _judge(roles: tuple[bool, bool], proposed: Proposed, offered: Mapping[str, Sequence[str]]) -> tuple[int, str]:
    first = proposed.transfer_syntaxes[0]
    if proposed.abstract_syntax not in offered:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, first
    if not any(roles):
        return USER_REJECTION, first
    for syntax in offered[proposed.abstract_syntax]:
        if syntax in proposed.transfer_syntaxes:
            return ACCEPTED, syntax
    return TRANSFER_SYNTAXES_NOT_SUPPORTED, first


def _answered_user_information(request: Request, accepted: Mapping[int, Context]) -> bytes:
    roles = {
        one.abstract_syntax: bytes([one.requestor_is_scu, one.requestor_is_scp])
        for one in accepted.values()
        if one.abstract_syntax in request.roles
    }
    return b"".join(
        (
            _item(_MAXIMUM_LENGTH, struct.pack(">I", MAXIMUM_LENGTH)),
            _item(_IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode("ascii")),
            *(_item(_ROLES, struct.pack(">H", len(uid)) + uid.encode("ascii") + roles[uid]) for uid in sorted(roles)),
            _item(_IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME.encode("ascii")),
        )
    )


def _propose(request: Request, item: bytes) -> None:
    if len(item) < 4:
        raise ProtocolError("a presentation context that is too short")
    context_id = item[0]
    if not context_id % 2 or context_id in request.proposed:
        raise ProtocolError("a presentation context ID that is even or taken")
    abstract, transfers = "", list[str]()
    for kind, name in _items(item[4:]):
        if kind == _ABSTRACT:
            abstract = _uid(name)
        elif kind == _TRANSFER:
            transfers.append(_uid(name))
    if not abstract or not transfers:
        raise ProtocolError("a presentation context without its syntaxes")
    request.proposed[context_id] = Proposed(abstract, tuple(transfers))


def _user_information(request: Request, item: bytes) -> None:
    for kind, content in _items(item):
        if kind == _MAXIMUM_LENGTH and len(content) == 4:
            (request.maximum_length,) = struct.unpack(">I", content)
        elif kind == _ROLES and len(content) >= 4:
            (length,) = struct.unpack_from(">H", content)
            if len(content) != length + 4:
                raise ProtocolError("a role selection whose lengths do not add up")
            request.roles[_uid(content[2 : 2 + length])] = (bool(content[-2]), bool(content[-1]))


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = count = 0
    while at < len(content):
        count += 1
        if len(content) - at < 4 or count > _MOST_ITEMS:
            raise ProtocolError("items whose lengths do not add up, or too many")
        kind, length = struct.unpack_from(">BxH", content, at)
        end = at + 4 + length
        if end > len(content):
            raise ProtocolError("an item longer than what holds it")
        yield kind, content[at + 4 : end]
        at = end


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def _title(field_of_16: bytes) -> str:
    """An AE title: leading and trailing spaces are not significant (PS3.8 Table 9-11); some peers pad with NULL."""
    try:
        return field_of_16.decode("ascii").strip(" \0")
    except UnicodeDecodeError:
        raise ProtocolError("an AE title that is not ASCII") from None


def _uid(name: bytes) -> str:
    name = name.rstrip(b"\0 ")
    if not _NAME.fullmatch(name):
        raise ProtocolError("a syntax name that is not a UID")
    return name.decode("ascii")
