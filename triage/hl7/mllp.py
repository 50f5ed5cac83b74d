"""Minimal Lower Layer Protocol: VT, the message, FS, CR (HL7 Transport Specification: MLLP, Release 1). Both ways, bounded."""

from triage.domain.errors import TriageError

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
END = FS + CR
_BETWEEN = b"\r\n\t \x00"
"""What senders leave between two frames; nothing of it can be a message."""


class NotFramed(TriageError):
    """What came is no frame, or one that is too long; the connection cannot be made sense of any more.

    ``begun``: what had come of the message, so that its sender can be told which one it was.
    """

    def __init__(self, sentence: str, begun: bytes = b"", too_long: bool = False) -> None:
        super().__init__(sentence)
        self.begun = begun
        self.too_long = too_long


def framed(message: bytes) -> bytes:
    """The message as it goes over the line.

    Raises:
        ValueError: it holds a character of the framing.
    """
    if VT in message or FS in message:
        raise ValueError("a message holds no VT and no FS")
    return VT + message + END


class Frames:
    """Bytes in as they come, messages out; never holds more than one message of ``most`` bytes and what came with its end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heard = bytearray()
        self._looked = 0

    @property
    def is_between(self) -> bool:
        """Whether nothing of a next message has come yet."""
        return not self._heard

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._heard += data

    def next(self) -> bytes | None:
        """The next whole message; ``None``: it has not come yet.

        Raises:
            NotFramed: what came begins with no VT, has one within, ends without CR, or is too long.
        """
        if not self._heard:
            return None
        if self._heard[:1] != VT:
            del self._heard[: len(self._heard) - len(self._heard.lstrip(_BETWEEN))]
            if self._heard and self._heard[:1] != VT:
                raise NotFramed("what came does not begin with VT")
        end = self._heard.find(FS, self._looked)
        self._looked = max(0, len(self._heard) if end < 0 else end)
        if (len(self._heard) if end < 0 else end) - 1 > self._most:
            raise NotFramed(f"a message of more than {self._most} bytes", bytes(self._heard[1:4096]), too_long=True)
        if end < 0 or end + 1 == len(self._heard):
            return None
        if self._heard[end + 1 : end + 2] != CR:
            raise NotFramed("FS without CR", bytes(self._heard[1:4096]))
        message = bytes(self._heard[1:end])
        if VT in message:
            raise NotFramed("a message begins within another", message[:4096])
        del self._heard[: end + 2]
        self._looked = 0
        return message
