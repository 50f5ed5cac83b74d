"""A destination that hears of results by HL7 over MLLP."""

import ssl
import time
from collections.abc import Callable
from datetime import datetime

from triage.domain.delivery import PeerAway, Receipt
from triage.domain.result import Result
from triage.hl7.acknowledgement import meaning_of
from triage.hl7.line import Late, Line
from triage.hl7.message import Receiver, control_id, oru_r01
from triage.hl7.mllp import Frames, NotFramed, framed

MOST_ANSWERED = 1 << 16
"""Bytes of an acknowledgement."""


class MllpTransport:
    """See :class:`triage.services.transport.Transport`. The connection stays open between results.

    ``within_seconds``: the most one try takes, however slowly the peer answers. ``application``, ``facility``: MSH-5, MSH-6.
    ``context``: by TLS (MLLP has none of its own).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        within_seconds: float,
        application: str,
        facility: str,
        clock: Callable[[], datetime],
        context: ssl.SSLContext | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port = host, port
        self._within = within_seconds
        self._receiver = Receiver(application=application, facility=facility)
        self._clock = clock
        self._context = context
        self._timer = timer
        self._line: Line | None = None

    def send(self, result: Result, predecessors: tuple[Result, ...]) -> Receipt:
        """One ORU^R01, and the answer to it. A connection that turns out to be dead before anything was answered is opened
        anew once: the control id is the same, and tells a receiver that has it already.

        Raises:
            PeerAway: no connection, no answer in time, or one that is none to this message.
            PeerRefused: the peer will not take it (:data:`triage.hl7.acknowledgement.ERRORS`).
        """
        until = self._timer() + self._within
        message = framed(oru_r01(result, predecessors, self._receiver, self._clock()).encode())
        answer = self._answered(message, until)
        try:
            return Receipt(status=meaning_of(answer, control_id(result)))
        except PeerAway:
            self.close()  # whatever else is on its way belongs to nothing
            raise

    def close(self) -> None:
        """Give up the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _answered(self, message: bytes, until: float) -> bytes:
        kept = self._line is not None and self._line.is_quiet()
        try:
            if kept:
                try:
                    return self._exchanged(message, until)
                except (OSError, EOFError) as error:
                    if isinstance(error, Late):
                        raise
            self.close()
            self._line = Line.to(self._host, self._port, until, self._context, self._timer)
            return self._exchanged(message, until)
        except Late:
            self.close()
            raise PeerAway(f"no answer within {self._within:g} s") from None
        except EOFError:
            self.close()
            raise PeerAway("closed the connection without an answer") from None
        except NotFramed as error:
            self.close()
            raise PeerAway(f"the answer is not framed: {error}") from None
        except OSError as error:
            self.close()
            raise PeerAway(f"no connection ({error.strerror or type(error).__name__})") from None

    def _exchanged(self, message: bytes, until: float) -> bytes:
        assert self._line is not None
        frames = Frames(MOST_ANSWERED)
        self._line.send(message, until)
        while (answer := frames.next()) is None:
            heard = self._line.receive(until)
            if not heard:
                raise EOFError
            frames.feed(heard)
        return answer
