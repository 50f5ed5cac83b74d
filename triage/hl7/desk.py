"""What becomes of a message that came in: taken and durable, or refused with a reason; always an acknowledgement."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from triage.domain.errors import TriageError
from triage.hl7.acknowledgement import Answer, answer_to
from triage.hl7.mllp import NotFramed
from triage.hl7.orders import Reading, statements
from triage.hl7.structure import Malformed, Segment, header_of, parse
from triage.services.orders import Heard, Taken

REJECTING = (200, 201, 202, 203)
"""Of these it is said that the message was *rejected* (AR): type, event, processing id, version (2.9.2.2). Of the rest, AE."""
INTERNAL = 207


class Desk:
    """``take`` keeps what was said and applies it; it raises when nothing was kept."""

    def __init__(
        self, take: Callable[[Sequence[Heard]], Taken], clock: Callable[[], datetime], reading: Reading | None = None
    ) -> None:
        self._take = take
        self._clock = clock
        self._reading = reading or Reading()

    def answer(self, content: bytes, address: str) -> bytes:
        """Take a message in; returns its acknowledgement. ``AA``: what it says is durable, of a repeat: was before."""
        header = None
        try:
            header = header_of(content)
            message = parse(content)
            header = message.header
            said = statements(message, self._reading, self._clock())
            sender = f"{header.value(3)}|{header.value(4)}"[:199]
            taken = self._take([Heard(statement=one, sender=sender, control_id=message.control_id[:199]) for one in said])
        except Malformed as error:
            return self._refused(header, _answer(error), address)
        except TriageError as error:
            return self._refused(header, Answer("AE", INTERNAL, str(error)), address)
        except (
            Exception
        ) as error:  # whatever it is, its sender must hear of it, and the next message must find the listener alive
            structlog.get_logger().error("order failed", address=address, kind=type(error).__name__)
            return self._refused(header, Answer("AE", INTERNAL, "an unexpected failure"), address)
        structlog.get_logger().info("orders", address=address, kind=message.kind, new=taken.new, moved=taken.moved)
        return self._written(header, Answer("AA"))

    def unframed(self, error: NotFramed, address: str) -> bytes:
        """The answer to what is no frame; ``b""``: there was no message that could be answered."""
        try:
            header = header_of(error.begun) if error.begun else None
        except Malformed:
            header = None
        answer = Answer("AE", 104 if error.too_long else 100, str(error))
        written = self._refused(header, answer, address)
        return written if header is not None else b""

    def _refused(self, header: Segment | None, answer: Answer, address: str) -> bytes:
        structlog.get_logger().warning(
            "order refused", address=address, said=answer.said, code=answer.code, cause=answer.sentence, at=_place(answer)
        )
        return self._written(header, answer)

    def _written(self, header: Segment | None, answer: Answer) -> bytes:
        return answer_to(header, answer, secrets.token_hex(10), self._clock())


def _answer(error: Malformed) -> Answer:
    said = "AR" if error.code in REJECTING else "AE"
    return Answer(said, error.code, str(error), error.segment, error.field)


def _place(answer: Answer) -> str | None:
    return f"{answer.segment}-{answer.field}" if answer.field else answer.segment or None
