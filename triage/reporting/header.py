"""Patient and study of a result: copied from a film's header byte for byte where they may stand, made valid where not.

What goes into the study must name the same patient, study and accession number as the film does (PS3.3 C.7.1.1, C.7.2.1), or
archives file it elsewhere. The headers come from anywhere: nothing in them is trusted.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from typing import BinaryIO

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from triage.domain.instance import FACTS_BY_KEYWORD
from triage.domain.result import Result
from triage.imaging.elements import text, values
from triage.imaging.header import read_elements
from triage.reporting import characters
from triage.reporting.values import AGE, DATE, IDENTIFIER, NAME, SEX, SHORT_IDENTIFIER, TEXT, TIME, YES_NO, Rule, nothing

REQUIRED: Mapping[str, Rule] = {
    "StudyDate": DATE,
    "StudyTime": TIME,
    "AccessionNumber": SHORT_IDENTIFIER,
    "ReferringPhysicianName": NAME,
    "PatientName": NAME,
    "PatientID": IDENTIFIER,
    "PatientBirthDate": DATE,
    "PatientSex": SEX,
    "StudyID": SHORT_IDENTIFIER,
}
"""Type 2: there, and empty where the film says nothing that may stand."""
OPTIONAL: Mapping[str, Rule] = {
    "StudyDescription": TEXT,
    "IssuerOfPatientID": IDENTIFIER,
    "PatientAge": AGE,
    "PatientIdentityRemoved": YES_NO,
    "DeidentificationMethod": TEXT,
}
COPIED: Mapping[str, Rule] = {**REQUIRED, **OPTIONAL}
PICTURE = (
    *("Rows", "Columns", "NumberOfFrames", "PixelAspectRatio", "PhotometricInterpretation"),
    *("RescaleIntercept", "RescaleSlope", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("ModalityLUTSequence", "VOILUTSequence"),
)
"""What a presentation state has to know of the picture."""
_READ = (*COPIED, *PICTURE, "SpecificCharacterSet", "TimezoneOffsetFromUTC", "StudyInstanceUID")
_OFFSET = re.compile(r"([+-])(0[0-9]|1[0-4])([0-5][0-9])", re.ASCII)


def film_header(stream: BinaryIO) -> Dataset:
    """What an archived film (a whole file object) says of patient, study and picture, for the objects made here; no pixels.

    Raises:
        CannotUnderstand: its header cannot be read.
        StorageFull: the disk does not give it back.
    """
    return read_elements(stream, _READ)


def patient_and_study(result: Result, films: Sequence[Dataset]) -> Dataset:
    """The elements that a result has in common with its study, encoded, with the Specific Character Set that they are in.

    Of several films the first that can be read speaks. Without any, the study as the list had it.
    """
    film = next((one for one in films if text(one, "StudyInstanceUID") == result.study_instance_uid), None)
    found, terms = _of_film(film) if film is not None else _of_facts(result)
    if not found.get("DeidentificationMethod"):  # PS3.3 C.7.1.1: required with it; the codes instead of it are not copied
        found.pop("PatientIdentityRemoved", None)
    found = {keyword: found.get(keyword, b"") for keyword in COPIED if found.get(keyword) or keyword in REQUIRED}
    dataset = Dataset()
    dataset.StudyInstanceUID = result.study_instance_uid
    if terms != characters.DEFAULT:
        dataset.SpecificCharacterSet = list(terms)
    for keyword, value in found.items():
        _put(dataset, keyword, COPIED[keyword].vr, value)
    if film is not None and (offset := text(film, "TimezoneOffsetFromUTC")) and _OFFSET.fullmatch(offset):
        dataset.TimezoneOffsetFromUTC = offset
    return dataset


def offset_of(dataset: Dataset) -> timezone | None:
    """The zone in which dates and times of a data set are given, where it says so (PS3.3 C.12.1.1.8)."""
    stated = _OFFSET.fullmatch(str(dataset.get("TimezoneOffsetFromUTC", "")))
    if stated is None:
        return None
    away = timedelta(hours=int(stated[2]), minutes=int(stated[3]))
    return timezone(-away if stated[1] == "-" else away)


def _of_film(film: Dataset) -> tuple[dict[str, bytes], tuple[str, ...]]:
    stated = [str(term) for term in values(film, "SpecificCharacterSet")]
    raw = {keyword: value for keyword in COPIED if (value := _bytes(film, keyword)) is not None}
    terms = characters.known(stated)
    if terms == characters.DEFAULT:
        terms = _guessed(raw)
    if terms is not None:
        return {keyword: _exact(value, COPIED[keyword], terms) for keyword, value in raw.items()}, terms
    told = {keyword: "\\".join(map(str, values(film, keyword))) for keyword in raw}
    return {keyword: _valid(value, COPIED[keyword]).encode() for keyword, value in told.items()}, characters.UTF_8


def _of_facts(result: Result) -> tuple[dict[str, bytes], tuple[str, ...]]:
    facts = ((keyword, field) for keyword, field in FACTS_BY_KEYWORD.items() if keyword in COPIED)
    told = {keyword: getattr(result.facts, field) or "" for keyword, field in facts}
    valid = {keyword: _valid(value, COPIED[keyword]) for keyword, value in told.items()}
    given = {keyword: valid.get(keyword, "").encode() for keyword in COPIED}
    return given, characters.DEFAULT if all(map(bytes.isascii, given.values())) else characters.UTF_8


def _guessed(raw: Mapping[str, bytes]) -> tuple[str, ...]:
    """For a film that states no character set: the one that leaves its bytes as they are."""
    for terms in (characters.DEFAULT, characters.UTF_8):
        if all(characters.decoded(value, terms, False) is not None for value in raw.values()):
            return terms
    return characters.LATIN_1


def _exact(value: bytes, rule: Rule, terms: tuple[str, ...]) -> bytes:
    """The very bytes where they may stand, else what can be made of them."""
    read = characters.decoded(value, terms, rule.vr == "PN")
    if read is not None and rule.fits(read):
        return value
    if rule.cured is nothing:
        return b""
    lenient = read if read is not None else value.decode("latin-1")
    return characters.encoded(_valid(lenient, rule), terms)


def _valid(told: str, rule: Rule) -> str:
    if not told.strip() or rule.fits(told):
        return told.strip()
    cured = rule.cured(told)
    return cured if rule.fits(cured) else ""


def _bytes(film: Dataset, keyword: str) -> bytes | None:
    """A value as it stands in the file, without its padding; ``None``: there is none."""
    try:
        found: DataElement | RawDataElement | None = film.get_item(keyword)
        if isinstance(found, RawDataElement):
            value = found.value or b""
        else:
            told = "\\".join(map(str, values(film, keyword)))
            terms = characters.known([str(term) for term in values(film, "SpecificCharacterSet")])
            value = characters.encoded(told, characters.UTF_8 if terms in (None, characters.DEFAULT) else terms)
        return value.rstrip(b"\0 ") or None
    except Exception:  # as everywhere with hostile headers: nothing that could be copied
        return None


def _put(dataset: Dataset, keyword: str, vr: str, value: bytes) -> None:
    tag = Tag(keyword)
    padded = value + b" " * (len(value) % 2)
    dataset[tag] = RawDataElement(tag, vr, len(padded), padded, 0, False, True)
