"""How long the database is waited for."""

from datetime import timedelta

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a writer waits for another one before the film is refused with 0xA701."""
