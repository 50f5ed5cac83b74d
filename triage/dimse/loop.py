"""Results that a PACS sends back to us: dropped, and said once for each sender, or the log would hold nothing else."""

import threading

import structlog

MOST_SENDERS = 1_000
"""Senders that are remembered; beyond them nothing more is said."""


class CameBack:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def __call__(self, calling_ae_title: str) -> None:
        """A result came back from this AE title."""
        with self._lock:
            if calling_ae_title in self._told or len(self._told) >= MOST_SENDERS:
                return
            self._told.add(calling_ae_title)
        structlog.get_logger().warning(
            "our own results come back and are dropped",
            calling_ae_title=calling_ae_title,
            remedy="route only images to this service, not structured reports and presentation states",
        )
