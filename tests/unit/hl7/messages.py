"""Orders as a RIS writes them."""

from datetime import datetime, timedelta

from tests.unit.domain.make import NOW
from triage.hl7.times import ts

CONTROL = iter(range(1, 1 << 30))


def order(
    *,
    kind: str = "ORM^O01",
    control: str = "NW",
    priority: str | None = "S",
    accession: str | None = "A-17",
    patient: str | None = "P-1^^^HOSP^MR",
    placer: str | None = "PL-1^HIS",
    uid: str | None = None,
    at: datetime = NOW,
    after: float = 0.0,
    number: str | None = None,
    tail: str = "",
    **header: str,
) -> bytes:
    """One message. ``priority`` stands where the type has it (ORC-7, TQ1-9); ``after``: seconds after ``at``."""
    number = number if number is not None else f"C{next(CONTROL)}"
    sent = ts(at + timedelta(seconds=after))
    said = {"sender": "RIS|HOSP", "processing": "P", "version": "2.5.1", "charset": "", **header}
    lines = [
        f"MSH|^~\\&|{said['sender']}|CXRTRIAGE|RAD|{sent}||{kind}|{number}|{said['processing']}|{said['version']}||||||{said['charset']}"
    ]
    if patient is not None:
        lines.append(f"PID|1||{patient}||Doe^Jane||19600101|F")
    lines.append("PV1|1|E")
    quantity = f"^^^^^{priority}" if priority is not None and kind.startswith("ORM") else ""
    lines.append(f"ORC|{control}|{placer or ''}|||||{quantity}||20260302080000")
    if priority is not None and not kind.startswith("ORM"):
        lines.append(f"TQ1|1||||||||{priority}^x^HL70485")
    imaging = kind.startswith("OMI")
    lines.append(f"OBR|1|{placer or ''}||36643-5^XR Chest 2 Views^LN||||||||||||||{'' if imaging else accession or ''}")
    if imaging:
        lines.append(f"IPC|{accession or ''}|RP1|{uid or ''}|SPS1")
    elif uid is not None:
        lines.append(f"ZDS|{uid}^Application^DICOM")
    return ("\r".join(lines) + "\r" + tail).encode()
