"""A message taken apart: segments, fields, components, by their numbers (HL7 v2.5.1 2.5). Only what is asked for is opened.

A message is a stranger's: a megabyte of delimiters must not become a million objects, and no value goes into an error or a log.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from triage.domain.errors import TriageError
from triage.hl7.text import DELETE, Delimiters, unescape

MOST_SEGMENTS = 2000
UNSAID = ""
CHARSETS = {
    UNSAID: "utf-8",
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "8859/7": "iso8859-7",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
}
"""MSH-18 (table 0211), and the codec that reads it."""


class Malformed(TriageError):
    """Not a message that can be taken: ``code`` of table 0357, and where, for the ERR segment. No value of it is quoted."""

    def __init__(self, sentence: str, code: int, segment: str = "", field: int = 0) -> None:
        super().__init__(sentence)
        self.code = code
        self.segment = segment
        self.field = field


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; ``fields[0]`` is its name, and the numbers of HL7 are the places, in MSH too."""

    name: str
    fields: tuple[str, ...]
    delimiters: Delimiters

    def field(self, number: int) -> str:
        """A field as it stands, or nothing."""
        return self.fields[number] if number < len(self.fields) else ""

    def repetitions(self, number: int, most: int = 20) -> list[str]:
        """The repetitions of a field as they stand; nothing of an empty one."""
        field, mark = self.field(number), self.delimiters.repetition
        return [one for one in (field.split(mark, most)[:most] if mark else [field]) if one]

    def value(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """A value of the first repetition, without escapes and spaces around; ``""``: absent, or deleted by ``""`` (2.5.3)."""
        first = self.repetitions(number, 1)
        return self.within(first[0], component, subcomponent) if first else ""

    def within(self, repetition: str, component: int = 1, subcomponent: int = 1) -> str:
        """The same of one repetition."""
        part = _piece(_piece(repetition, self.delimiters.component, component), self.delimiters.subcomponent, subcomponent)
        return "" if part.strip() == DELETE else unescape(part, self.delimiters).strip()


@dataclass(frozen=True, slots=True)
class Message:
    """The segments, MSH first."""

    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def kind(self) -> str:
        """Message type and trigger event, ``ORM^O01``."""
        return f"{self.header.value(9)}^{self.header.value(9, 2)}"

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.value(10)

    def first(self, name: str) -> Segment | None:
        """The first segment of a name, or ``None``."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of a name."""
        return (one for one in self.segments if one.name == name)


def parse(content: bytes) -> Message:
    """Take a message apart. LF and CR LF between segments are taken for CR: some senders write lines.

    Raises:
        Malformed: no MSH, delimiters that cannot be told apart, a character set that is unknown or not the one it says.
    """
    header = header_of(content)
    text = _decoded(content, header.value(18))
    lines = [line for line in text.replace("\r\n", "\r").replace("\n", "\r").split("\r", MOST_SEGMENTS + 1) if line.strip()]
    if len(lines) > MOST_SEGMENTS:
        raise Malformed(f"more than {MOST_SEGMENTS} segments", 100)
    return Message(tuple(_segment(line.lstrip("\ufeff"), header.delimiters) for line in lines))


def header_of(content: bytes) -> Segment:
    """MSH alone, each byte a character, for an answer to a message that cannot be read further.

    Raises:
        Malformed: no MSH, or delimiters that cannot be told apart.
    """
    line = content.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\r", 1)[0].split(b"\n", 1)[0][:4096].decode("latin-1")
    if not line.startswith("MSH") or len(line) < 5:
        raise Malformed("it does not begin with MSH", 100, "MSH")
    field = line[3]
    encoding = line[4:].split(field, 1)[0]
    marks = [field, *encoding[:4]]
    if len(encoding) < 3 or len(set(marks)) < len(marks) or any(mark.isalnum() or mark.isspace() for mark in marks):
        raise Malformed("MSH-1 and MSH-2 are no delimiters", 102, "MSH", 2)
    component, repetition, escape, subcomponent = [*encoding[:4], ""][:4]
    return _segment(line, Delimiters(field, component, repetition, escape, subcomponent))


def _decoded(content: bytes, named: str) -> str:
    codec = CHARSETS.get(named.upper())
    if codec is None:
        raise Malformed("the character set that MSH-18 names is not known here", 103, "MSH", 18)
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        if named != UNSAID:
            raise Malformed("it is not in the character set that MSH-18 names", 102, "MSH", 18) from None
        return content.decode("iso8859-1")  # not said, and common: identifiers are ASCII, a name must not cost the order


def _segment(line: str, delimiters: Delimiters) -> Segment:
    fields = line.split(delimiters.field, 200)
    name = fields[0].strip()
    if name == "MSH":
        fields = [name, delimiters.field, *fields[1:]]
    return Segment(name, tuple(fields), delimiters)


def _piece(text: str, mark: str, number: int) -> str:
    if not mark:
        return text if number == 1 else ""
    pieces = text.split(mark, number)
    return pieces[number - 1] if len(pieces) >= number else ""
