"""B01: texts that are no UID, in each place where a UID stands; B25: objects that begin like something else."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.wire import DX, Text
from tests.integration.objects import Value, data_set, elements_of, sop_uid

HOSTILE: dict[str, bytes] = {
    "traversal": b"../../../tmp/x",
    "traversal, Windows": b"..\\..\\x",
    "absolute": b"/etc/cron.d/x",
    "nothing": b"",
    "dot": b".",
    "dots": b"..",
    "NUL inside": b"1.2\x00.3",
    "65 characters": b"1." * 32 + b"1",
    "1,000 characters": b"1." * 499 + b"11",
    "leading zero": b"1.02.3",
    "ends with a dot": b"1.2.3.",
    "space before": b" 1.2.3",
    "space inside": b"1.2 .3",
    "newline": b"1.2.3\n4",
    "two values": b"1.2\\1.3",
    "SQL": b"1.2'; DROP TABLE study; --",
    "UTF-8 digits": "1.2.٣".encode(),
    "device name": b"CON",
}

Place = tuple[bool, bool, bool, bool, bool]
PLACES: dict[str, tuple[str, ...]] = {
    "command: AffectedSOPInstanceUID": ("instance",),
    "command: AffectedSOPClassUID": ("class",),
    "command: both": ("instance", "class"),
    "data set: SOPInstanceUID": ("SOPInstanceUID",),
    "data set: SeriesInstanceUID": ("SeriesInstanceUID",),
    "data set: StudyInstanceUID": ("StudyInstanceUID",),
    "command and data set: SOP instance": ("instance", "SOPInstanceUID"),
    "command and data set: SOP class": ("class", "SOPClassUID"),
    "everywhere": ("instance", "class", "SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID"),
}
"""Name → where the text stands; elsewhere stand UIDs that agree with each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One C-STORE that must be refused. ``data``: its data set; the other two stand in its command set."""

    name: str
    family: str
    sop_instance_uid: Text
    sop_class_uid: Text = DX
    data: bytes = field(repr=False)


def uid_cases() -> Iterator[Case]:
    """18 texts × 9 places, and 6 pairs of proper UIDs that contradict each other."""
    number = 50_000
    for place, where in PLACES.items():
        for name, text in HOSTILE.items():
            number += 1
            changes: dict[str, Value] = {keyword: text + b"\0" * (len(text) % 2) for keyword in where if keyword[0].isupper()}
            yield Case(
                name=name,
                family=place,
                sop_instance_uid=text if "instance" in where else sop_uid(number),
                sop_class_uid=text if "class" in where else DX,
                data=data_set(elements_of(number, **changes)),
            )
    for name, of_command, of_data in (
        ("another instance", sop_uid(60_001), sop_uid(60_002)),
        ("shorter", sop_uid(60_003)[:-2], sop_uid(60_003)),
        ("longer", sop_uid(60_004) + ".1", sop_uid(60_004)),
    ):
        data = data_set(elements_of(60_001, SOPInstanceUID=of_data))
        yield Case(name=name, family="proper, but two", sop_instance_uid=of_command, data=data)
    for name, of_data in (("CR", "1.2.840.10008.5.1.4.1.1.1"), ("private", "1.2.3.4"), ("Verification", "1.2.840.10008.1.1")):
        data = data_set(elements_of(60_005, SOPClassUID=of_data))
        yield Case(name=f"class is {name}", family="proper, but two", sop_instance_uid=sop_uid(60_005), data=data)


BEGINNINGS: dict[str, bytes] = {
    "MZ": b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff",
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(9),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "HTML": b"<html><script>alert(1)</script></html>",
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "script": b"#!/bin/sh\nexit 1\n",
    "GIF": b"GIF89a\x01\x00\x01\x00",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "JPEG 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    "gzip": b"\x1f\x8b\x08\x00",
    "SQLite": b"SQLite format 3\x00",
    "PHP": b"<?php system($_GET[0]); ?>",
    "TIFF": b"II*\x00\x08\x00\x00\x00",
}
"""B25. As a preamble they are not sent; at the head of the data set they are; what is kept begins with 128 zeros."""
