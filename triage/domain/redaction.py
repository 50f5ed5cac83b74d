"""What leaves the site in a support bundle, by lists: of sentences our own words, of log lines the fields named here."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triage.domain.role import kind_of

WORDS = frozenset(
    {"event", "cause", "trouble", "fault", "first", "job", "died", "killed", "task", "by", "remedy", "reason", "diagnostic"}
    | {"host", "address", "ae_title", "calling_ae_title", "destination"}
)
"""Fields of a log line that are sentences or words of ours, or names of machines: read by :meth:`Redaction.words`."""
NAMES = frozenset({"level", "library", "where", "kind", "status", "code", "model"})
"""Fields that are names of things in programs."""
NUMBERS = frozenset(
    {"port", "films", "studies", "stayed", "copied", "dropped", "size_bytes", "gaps", "faulty", "acknowledged", "unreadable"}
    | {"seconds", "silent_seconds", "restart_in_seconds", "restarts", "exit_code", "attempt", "tries", "requests", "results"}
    | {"statements", "moved", "new", "committed", "failed", "objects", "aborted", "leftovers_removed", "settled", "strays"}
    | {"adopted", "quarantined", "discarded", "taken_back", "missing", "signal", "cpu_seconds", "memory_bytes"}
)
"""Fields that count or measure."""
_NAME = re.compile(r"[A-Za-z_][\w.@+-]{0,60}(?::\d{1,5})?|[0-9A-Fa-f]{4}")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_UID = re.compile(r"(?<![\w.])\d+(?:\.\d+){3,}(?![\w.])")
_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_PERSON = re.compile(r"\S*\^\S*")
"""PS3.5 6.2.1: what has a caret in it is a person's name, whatever its words are."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_RUN = re.compile(r"\w+")
_COUNT = re.compile(r"[0-9]{1,5}|0x[0-9A-Fa-f]{4}|[0-9]{1,4}[a-z]{1,3}")
_GONE = re.compile(r"·(?:[^\w\s<>]*·)*")


@dataclass(frozen=True, slots=True)
class Redaction:
    """``ours``: the words that may leave: those of this program's own sentences, and names that the settings have."""

    ours: frozenset[str]

    def words(self, text: str) -> str:
        """A sentence of which our own words, short numbers and addresses of machines are left; nothing of what it quotes."""
        text = _PERSON.sub("·", _QUOTED.sub("<quoted>", text))
        text = _DATE.sub("<date>", _UID.sub(lambda found: found[0] if _ADDRESS.fullmatch(found[0]) else "<UID>", text))
        return _GONE.sub("·", _RUN.sub(self._run, text))

    def _run(self, found: "re.Match[str]") -> str:
        word = found[0]
        return word if word in self.ours or word in ("quoted", "UID", "date") or _COUNT.fullmatch(word) else "·"

    def lines(self, lines: Iterable[str], since: datetime | None = None) -> Iterator[str]:
        """Log lines of ours from ``since`` on, each with the fields that may leave; another program's are not among them."""
        for line in lines:
            try:
                entry = json.loads(line[line.index("{") :])  # a journal puts its own words before
                at = datetime.fromisoformat(entry["timestamp"])
                early = since is not None and at < since
                ours = isinstance(entry["event"], str) and isinstance(entry["role"], str)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if ours and not early:
                kept = {name: value for name, given in entry.items() if (value := self._field(name, given)) is not None}
                yield json.dumps({"timestamp": at.isoformat(), "role": self._role(entry["role"])} | kept)

    def _field(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            if name in NAMES:
                return value if _NAME.fullmatch(value) else None
            return self.words(value) if name in WORDS else None
        return value if name in NUMBERS and isinstance(value, (bool, int, float)) else None

    def _role(self, role: str) -> str:
        return role if kind_of(role) in self.ours and _NAME.fullmatch(role) else "·"


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """Every word of these texts; numbers are none."""
    return frozenset(word for text in texts for word in _RUN.findall(text) if not word[0].isdigit())
