"""What an acknowledgement means, and how one is written (HL7 v2.5.1 2.9, 2.15.5, 2.15.8)."""

import re
from dataclasses import dataclass
from datetime import datetime

from triage.domain.delivery import PeerAway, PeerRefused
from triage.hl7.message import APPLICATION
from triage.hl7.structure import Malformed, Message, Segment, parse
from triage.hl7.text import DELETE, OURS, bounded, escape
from triage.hl7.times import ts

ERRORS = {
    0: ("message accepted", True),
    100: ("segment sequence error", False),
    101: ("required field missing", False),
    102: ("data type error", False),
    103: ("table value not found", False),
    104: ("value too long", False),
    200: ("unsupported message type", False),
    201: ("unsupported event code", False),
    202: ("unsupported processing id", False),
    203: ("unsupported version id", False),
    204: ("unknown key identifier", True),
    205: ("duplicate key identifier", False),
    206: ("application record locked", True),
    207: ("application internal error", True),
}
"""Table 0357: (what it says, whether the same message may be taken later). 10x and 200–203 speak of the message itself, which
does not change; 205: it is there. 204: the RIS may hear of a study after we do. 206 and 207 pass."""

TAKEN = ("AA", "CA")
PASSES = {"AE": True, "CE": True, "AR": False, "CR": False}
"""Without a code that we know. *Error* is said of mappings and of passing trouble alike: a try too many harms nobody, a result
that was given up may. *Reject* is said of type, event and version (2.9.2), which do not change."""
_EVENT = re.compile("[A-Z][0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What we say of a message: MSA-1, and of a refusal the code of table 0357, where it is, and a sentence of ours."""

    said: str
    code: int = 0
    sentence: str = ""
    segment: str = ""
    field: int = 0


def meaning_of(content: bytes, control_id: str) -> str:
    """MSA-1 of an answer to the message ``control_id``, which was taken.

    Raises:
        PeerRefused: it is not taken, however often it is sent.
        PeerAway: not now, or the answer is none to this message.
    """
    try:
        message = parse(content)
    except Malformed as error:
        raise PeerAway(f"the answer is no message: {error}") from None
    told = message.first("MSA")
    if told is None:
        raise PeerAway("the answer has no MSA")
    said = told.value(1).upper()
    if told.value(2) != control_id:
        raise PeerAway("the answer is to another message")
    if said in TAKEN:
        return said
    if said not in PASSES:
        raise PeerAway("MSA-1 of the answer is none of AA, AE, AR, CA, CE, CR")
    code = _code(message)
    words, passes = ERRORS[code] if code in ERRORS else ("no code", PASSES[said])
    if code in ERRORS and code:
        words = f"{code} {words}"
    raise (PeerAway if passes else PeerRefused)(f"{said}: {words}")


def _code(message: Message) -> int | None:
    """ERR-3, before v2.5 ERR-1-4; nothing else of the segment: receivers write values of the message there."""
    for error in message.all("ERR"):
        for text in (error.value(3), error.value(1, 4)):
            if text.isascii() and text.isdecimal() and int(text[:4]):
                return int(text[:4])
    return None


def answer_to(header: Segment | None, answer: Answer, number: str, now: datetime) -> bytes:
    """The acknowledgement of the message that ``header`` begins (``None``: unreadable), ``number`` its own MSH-10.

    MSA-2 of a message without a control id is null: the field must not be empty.
    """
    application = facility = asked = event = processing = ""
    if header is not None:
        application, facility, asked = (escape(bounded(header.value(place), 180)) for place in (3, 4, 10))
        event, processing = header.value(9, 2).upper(), header.value(11).upper()
    kind = f"ACK^{event}^ACK" if _EVENT.fullmatch(event) else "ACK^^ACK"
    processing = processing if processing in ("P", "T", "D") else "P"
    msh = ["MSH", OURS.encoding_characters, APPLICATION, "", application, facility, ts(now), "", kind, number, processing]
    lines = [[*msh, "2.5.1", "", "", "", "", "", "UNICODE UTF-8"], ["MSA", answer.said, asked or DELETE]]
    if answer.code:
        words = ERRORS[answer.code][0].capitalize()
        where = f"{answer.segment}^1^{answer.field}" if answer.field else answer.segment and f"{answer.segment}^1"
        lines.append(["ERR", "", where, f"{answer.code}^{words}^HL70357", "E", "", "", "", escape(answer.sentence)])
    return "".join(OURS.field.join(line) + "\r" for line in lines).encode()
