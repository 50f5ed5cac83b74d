"""How much a long test does: a part of it with every ``make test``, all of it with ``make soak``."""

import os
from typing import TypeVar

T = TypeVar("T")

SOAK = os.environ.get("SOAK") == "1"


def size(every_time: T, soak: T) -> T:
    """The number of rounds, films or runs, or what is gone through."""
    return soak if SOAK else every_time
