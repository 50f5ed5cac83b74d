"""Structured logs on stderr, one JSON object a line: UIDs and digests, never names, never data sets."""

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO, TextIOWrapper

import structlog


class LibraryFormatter(logging.Formatter):
    """A library's record as a JSON line: who, where, which kind of error.

    Neither its message nor its traceback: both may quote a data set.
    """

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        kind = record.exc_info[0] if record.exc_info else None
        return json.dumps(
            {
                "event": "library",
                "library": record.name,
                "where": f"{record.module}:{record.lineno}",
                "kind": kind.__name__ if kind else None,
                "role": self._role,
                "level": record.levelname.lower(),
                "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            }
        )


class Forgiving(TextIOWrapper):
    """Standard error, which loses a line rather than the process: a log on a full disk must not stop what it tells of."""

    def __init__(self) -> None:
        # a file of its own on the same descriptor: what sys.stderr buffers and raises is not ours
        super().__init__(FileIO(2, "w", closefd=False), encoding="utf-8", errors="backslashreplace", write_through=True)

    def write(self, text: str) -> int:
        """Write, or not."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        with suppress(OSError):
            super().flush()


def configure(role: str) -> None:
    """Send this process's events to stderr as JSON lines with time, level and role; quiet the libraries."""
    stream = Forgiving()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LibraryFormatter(role))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            _with_role(role),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _with_role(role: str) -> structlog.typing.Processor:
    # not a context variable: those stay in the thread that set them
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"role": role, **event}

    return add
