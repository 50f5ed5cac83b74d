"""What a status says of an object that was sent for storage (PS3.4 B.2.3, PS3.7 C, PS3.18 I.2.2): a table."""

from triage.domain.delivery import PeerAway, PeerRefused

SUCCESS = 0x0000
DUPLICATE = 0x0111

TAKEN, LATER, NEVER = "taken", "not now", "refused"

FATES: tuple[tuple[range, str], ...] = (
    (range(SUCCESS, SUCCESS + 2), TAKEN),  # 0001: taken, with a remark (PS3.7 C.4)
    (range(0x0107, 0x0108), TAKEN),
    (range(DUPLICATE, DUPLICATE + 1), TAKEN),  # it is there already: the same result is always the same object
    (range(0x0116, 0x0117), TAKEN),
    (range(0xB000, 0xC000), TAKEN),
    (range(0x0110, 0x0111), LATER),  # processing failure
    (range(0x0210, 0x0214), LATER),  # among them resource limitation
    (range(0xA700, 0xA800), LATER),  # out of resources
    (range(0xFE00, 0xFF00), LATER),  # cancelled
)
"""Everything else: refused, whoever sends it again."""


def fate_of(status: int) -> str:
    """``TAKEN``, ``LATER`` or ``NEVER``."""
    return next((fate for statuses, fate in FATES if status in statuses), NEVER)


def check_taken(status: int, what: str) -> None:
    """Pass where the peer took ``what``.

    Raises:
        PeerAway: it may take it later.
        PeerRefused: it never will.
    """
    fate = fate_of(status)
    if fate == LATER:
        raise PeerAway(f"the peer cannot take {what} now: status {status:04X}")
    if fate == NEVER:
        raise PeerRefused(f"the peer does not take {what}: status {status:04X}")
