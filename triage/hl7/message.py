"""A result as one ORU^R01 (HL7 v2.5.1 7.3.1): what is said, segment by segment. Never that a film shows nothing.

A number of a patient or study that is longer than receivers take is left out, not cut: cut, it could be another's.
"""

import re
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.ours import CODING_SCHEME as SCHEME
from triage.domain.result import Result
from triage.hl7.text import OURS, bounded, escape
from triage.hl7.times import ts

APPLICATION = "CXRTRIAGE"
"""MSH-3."""
NOTICE = "AI triage, not a diagnosis"
PRELIMINARY, DELETED = "P", "D"
"""OBX-11 (table 0085). A triage is never final, so that what supersedes it is no correction (``C``) either."""
NUMBER_MAX, NAME_MAX, TEXT_MAX = 64, 64, 199

PRIORITIES = {
    Level.FLAGGED: ("HIGH", "Suspected finding"),
    Level.NOT_FLAGGED: ("NOT_FLAGGED", "Not flagged by the network; standard reading order"),
    Level.NOT_ASSESSED: ("NOT_ASSESSED", "Not assessed by the network"),
    Level.OUT_OF_SCOPE: ("OUT_OF_SCOPE", "Not assessed: outside the network's intended use"),
}
"""The network's levels as the receiver sees them. A study that waits, and a person's STAT, are no results."""

_SEXES = ("M", "F", "O", "U", "A", "N")
_DATE = re.compile(r"\d{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Whom messages are for: MSH-5, MSH-6, MSH-11 (``P`` production, ``T`` training)."""

    application: str = ""
    facility: str = ""
    processing_id: str = "P"


@dataclass(frozen=True, slots=True)
class Observation:
    """One OBX: what it is of (OBX-3), the type of its value (OBX-2), and the value as it stands in the field."""

    code: str
    meaning: str
    scheme: str
    kind: str
    value: str
    units: str = ""


def control_id(result: Result) -> str:
    """MSH-10, always the same of a result: 20 characters, all that v2.5.1 has room for."""
    return b32encode(sha256(result.uid("hl7").encode()).digest()[:15]).decode()[:20]


def oru_r01(result: Result, predecessors: Sequence[Result], receiver: Receiver, now: datetime) -> str:
    """The message, its segments ended by CR; encode it as UTF-8. ``predecessors``: earlier results that it supersedes, oldest
    first. What they observed and this one does not is deleted, so that no number outlives the word it belongs to."""
    said = observations(result, predecessors)
    present = {one.code for one in said}
    gone = {one.code: one for before in predecessors for one in observations(before, ()) if one.code not in present}
    lines = [
        _msh(result, receiver, now),
        *_pid(result.facts),
        *_order(result),
        *(_obx(number, one, result.decided_at, PRELIMINARY) for number, one in enumerate(said, 1)),
        *(_obx(number, one, result.decided_at, DELETED) for number, one in enumerate(gone.values(), len(said) + 1)),
    ]
    return "".join(f"{line}\r" for line in lines)


def observations(result: Result, predecessors: Sequence[Result]) -> list[Observation]:
    """What the result says, each once."""
    code, meaning = PRIORITIES[result.level]
    said = [_local("PRIORITY", "Triage priority", "CWE", _coded(code, meaning, SCHEME))]
    if result.probability is not None:
        value = f"{result.probability * 100:.4f}".rstrip("0").rstrip(".")
        said.append(Observation("111012", "Certainty of Finding", "DCM", "NM", value, _coded("%", "percent", "UCUM")))
    if result.reason is not None:
        reason = _coded(result.reason.code, result.reason.sentence, SCHEME)
        said.append(_local("REASON", "Why it was not assessed", "CWE", reason))
    said.append(Observation("113014", "Study", "DCM", "ST", escape(bounded(result.study_instance_uid, NUMBER_MAX))))
    if result.model is not None:
        model = (("111001", "Algorithm Name", result.model.name), ("111003", "Algorithm Version", result.model.version))
        said += [Observation(code, meaning, "DCM", "ST", _text(value)) for code, meaning, value in model if _text(value)]
    said.append(_local("NOTICE", "What this is", "ST", NOTICE))
    said.append(_local("RESULT_NUMBER", "Number of the result of this study", "NM", str(result.number)))
    if predecessors:
        said.append(_local("REPLACES", "Control id of the result that this one replaces", "ST", control_id(predecessors[-1])))
    return said


def _msh(result: Result, receiver: Receiver, now: datetime) -> str:
    application, facility = (escape(bounded(one, 180)) for one in (receiver.application, receiver.facility))
    return _segment(
        "MSH",
        {
            2: OURS.encoding_characters,
            3: APPLICATION,
            5: application,
            6: facility,
            7: ts(now),
            9: "ORU^R01^ORU_R01",
            10: control_id(result),
            11: receiver.processing_id,
            12: "2.5.1",
            18: "UNICODE UTF-8",
        },
    )


def _pid(facts: Facts) -> Iterable[str]:
    """PID, which needs a number (PID-3): where the study has none, the order group stands alone, as v2.5.1 allows."""
    number = _number(facts.patient_id)
    if not number:
        return
    issuer = _number(facts.issuer_of_patient_id)
    birth = (facts.patient_birth_date or "").replace(".", "")
    sex = (facts.patient_sex or "").strip().upper()
    yield _segment(
        "PID",
        {
            1: "1",
            3: f"{number}^^^{issuer}" if issuer else number,
            5: _name(facts.patient_name),
            7: birth if _DATE.fullmatch(birth) else "",
            8: sex if sex in _SEXES else "",
        },
    )


def _name(name: str | None) -> str:
    """PN (PS3.5 6.2.1) as XPN: family, given, middle, suffix, prefix; HL7 has the last two the other way round.

    Absent, which PID-5 must not be: an alias of type *unspecified*, as 3.4.2.5 says.
    """
    groups = [group for group in (name or "").split("=") if group.strip("^ ")]
    parts = [*(groups[0].split("^") if groups else []), *[""] * 5][:5]
    family, given, middle, prefix, suffix = (escape(bounded(part, NAME_MAX)) for part in parts)
    return "^".join((family, given, middle, suffix, prefix)).rstrip("^") or "~^^^^^^U"


def _order(result: Result) -> tuple[str, str]:
    """The accession number is the filler's number, and stands where RIS keep it, too; the placer's is not ours to say."""
    accession = _number(result.facts.accession_number)
    service = "^".join((_coded("TRIAGE", "AI triage of a chest radiograph", SCHEME), _coded("30745-4", "XR Chest Views", "LN")))
    decided = ts(result.decided_at)
    request = {1: "1", 3: accession, 4: service, 7: decided, 18: accession, 22: decided, 24: "RAD", 25: PRELIMINARY}
    return _segment("ORC", {1: "RE", 3: accession}), _segment("OBR", request)


def _obx(number: int, one: Observation, decided_at: datetime, status: str) -> str:
    value, units = (one.value, one.units) if status == PRELIMINARY else ("", "")
    observed = _coded(one.code, one.meaning, one.scheme)
    return _segment("OBX", {1: str(number), 2: one.kind, 3: observed, 5: value, 6: units, 11: status, 14: ts(decided_at)})


def _local(code: str, meaning: str, kind: str, value: str) -> Observation:
    return Observation(code, meaning, SCHEME, kind, value)


def _segment(name: str, fields: dict[int, str]) -> str:
    first = 2 if name == "MSH" else 1  # MSH-1 is the delimiter itself
    return OURS.field.join([name, *(fields.get(number, "") for number in range(first, max(fields) + 1))])


def _coded(code: str, meaning: str, scheme: str) -> str:
    return OURS.component.join((escape(code), escape(meaning), scheme))


def _number(value: str | None) -> str:
    whole = bounded(value, NUMBER_MAX + 1)
    return escape(whole) if len(whole) <= NUMBER_MAX else ""


def _text(value: str) -> str:
    return escape(bounded(value, TEXT_MAX))
