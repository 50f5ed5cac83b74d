"""What leaves the site in a support bundle: by a list of what may, and identifiers taken out of words."""

import json
import re
from collections.abc import Iterable, Iterator

WORDS = frozenset({"event", "level", "role", "timestamp", "library", "where", "kind", "logger"})
"""Fields of a log line that are ours from end to end."""
SENTENCES = frozenset({"cause", "trouble"})
"""Fields in our own words, which may name a UID or a digest."""
_UID = re.compile(r"(?<![\w.])\d+(?:\.\d+){3,}(?![\w.])")
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")


def without_identifiers(words: str) -> str:
    """Words without UIDs, digests, and what they quote: that may be a header's text. Addresses of machines stay."""
    words = _QUOTED.sub("<quoted>", words)
    words = _UID.sub(lambda found: found[0] if _ADDRESS.fullmatch(found[0]) else "<UID>", words)
    return _DIGEST.sub("<digest>", words)


def redacted(lines: Iterable[str]) -> Iterator[str]:
    """Log lines, each with the fields that may leave, and numbers; a line that is none of ours is not among them."""
    for line in lines:
        try:
            entry = json.loads(line[line.index("{") :])  # a journal puts its own words before
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("event"), str):
            yield json.dumps({name: kept for name, value in entry.items() if (kept := _kept(name, value)) is not None})


def _kept(name: str, value: object) -> object:
    if isinstance(value, (bool, int, float)):
        return value
    if not isinstance(value, str):
        return None
    return value if name in WORDS else without_identifiers(value) if name in SENTENCES else None
