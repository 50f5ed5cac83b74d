"""How much a long test does: a part of it with every ``make test``, all of it with ``make soak``."""

import os

SOAK = os.environ.get("SOAK") == "1"


def size(every_time: int, soak: int) -> int:
    """The number of rounds, films or runs."""
    return soak if SOAK else every_time
