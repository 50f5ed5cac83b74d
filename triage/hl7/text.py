"""Text within HL7 fields: what must be escaped, and what escapes mean (HL7 v2.5.1 2.7). Nothing in it can grow."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2 (2.5.4). Ours are those that HL7 recommends; those of others are theirs to choose."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


OURS = Delimiters()
DELETE = '""'
"""What a field holds whose value is to be deleted (2.5.3)."""
_LETTERS = {"field": "F", "component": "S", "subcomponent": "T", "repetition": "R", "escape": "E"}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)", re.ASCII)
_ESCAPED = {getattr(OURS, name): f"\\{letter}\\" for name, letter in _LETTERS.items()}
_SPECIAL = re.compile("[" + re.escape("".join(_ESCAPED)) + "]")


def bounded(value: str | None, most: int) -> str:
    """At most so many characters, without half a surrogate pair, which UTF-8 cannot say; no spaces around."""
    text = (value or "").strip().encode("utf-8", "replace").decode("utf-8")
    return text[:most].strip()


def escape(value: str) -> str:
    """``value`` as it stands in a field: delimiters by letter (2.7.1), control characters by their bytes (2.7.5).

    Neither can end a segment or a message then, whoever reads it: MLLP's own characters are control characters too.
    """
    if value == DELETE:
        return f"\\X{DELETE.encode().hex()}\\"
    told = _SPECIAL.sub(lambda found: _ESCAPED[found.group()], value)
    return _CONTROL.sub(lambda found: f"\\X{found.group().encode().hex().upper()}\\", told)


def unescape(value: str, delimiters: Delimiters = OURS) -> str:
    """What an escaped value says. Formatting and highlighting (2.7.2, 2.7.6) say nothing and are left out, a count of lines,
    too: no escape makes more text than it is long. What is none stays as it stands.
    """
    mark = delimiters.escape
    if not mark or mark not in value:
        return value
    letters = {letter: getattr(delimiters, name) for name, letter in _LETTERS.items()}
    pieces = value.split(mark)
    said = [pieces[0]]
    for place in range(1, len(pieces) - 1, 2):
        said += [_meaning(pieces[place], letters, mark), pieces[place + 1]]
    if len(pieces) % 2 == 0:
        said.append(mark + pieces[-1])  # nothing ends it: no escape
    return "".join(said)


def _meaning(code: str, letters: dict[str, str], mark: str) -> str:
    if code in letters:
        return letters[code]
    if found := _HEX.fullmatch(code):
        return bytes.fromhex(found[1]).decode("utf-8", "replace")
    if code in ("H", "N") or code.startswith("."):
        return " " if code.startswith(".") else ""
    return f"{mark}{code}{mark}"
