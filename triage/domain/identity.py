"""Whose film is it? What two headers under one Study Instance UID say of the patient, compared.

A patient is a Patient ID under an Issuer of Patient ID (PS3.3 C.7.1.1), compared exactly but for padding (PS3.5 6.2: leading
and trailing spaces of LO mean nothing): case and leading zeros make another patient, as they do at some hospitals. Name,
birth date and sex are corrected later or typed twice, so that one of them alone proves nothing beside an equal ID; two do, as
numbers such as 0 or UNKNOWN are shared by many. Where an ID is missing, they are all there is: one that differs is enough.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from triage.domain.instance import Facts

PATIENT = tuple(name for name in Facts.__dataclass_fields__ if "patient" in name)


NO_BIRTH_DATES = ("00010101", "00000000", "18000101", "19000101", "19010101", "99991231")
"""Written where nobody knows: neither evidence nor difference."""


class Likeness(Enum):
    """Whether two headers name one patient. UNSURE: nothing proves that it is another, something does not fit or is missing."""

    SAME = "same"
    UNSURE = "unsure"
    OTHER = "other"


def likeness(kept: Facts, film: Facts) -> Likeness:
    """What a film's header says of the patient of a study, against what the study is known by."""
    if _differ(kept.patient_id, film.patient_id) or _differ(kept.issuer_of_patient_id, film.issuer_of_patient_id):
        return Likeness.OTHER
    differences = _differences(kept, film)
    if kept.patient_id is not None and film.patient_id is not None:
        return (Likeness.SAME, Likeness.UNSURE, Likeness.OTHER)[min(differences, 2)]
    if differences:
        return Likeness.OTHER
    return Likeness.SAME if _alike(kept, film) else Likeness.UNSURE


def completed(kept: Facts, film: Facts) -> Facts:
    """The study's facts; where one is absent, the film's. Nothing of its patient unless the two are surely one: a list must
    not show one film's score under the name that another film gave."""
    mixed = Facts(**{name: getattr(kept, name) or getattr(film, name) for name in Facts.__dataclass_fields__})
    if likeness(kept, film) is not Likeness.SAME:
        return replace(mixed, **{name: getattr(kept, name) for name in PATIENT})
    return mixed


def gathered(films: Iterable[Facts]) -> tuple[Facts, Likeness]:
    """What a study is known by after these films, in their order, and the worst likeness of one of them to those before it."""
    kept, worst = Facts(), Likeness.SAME
    for number, film in enumerate(films):
        if number:
            worst = max(worst, likeness(kept, film), key=list(Likeness).index)
            kept = completed(kept, film)
        else:
            kept = film
    return kept, worst


def _differences(kept: Facts, film: Facts) -> int:
    return sum(
        (
            any(_differ(mine, theirs) for mine, theirs in zip(_name(kept), _name(film), strict=True)),
            _differ(_birth_date(kept), _birth_date(film)),
            _differ(_sex(kept), _sex(film)),
        )
    )


def _alike(kept: Facts, film: Facts) -> bool:
    """Whether a full name is in both, and equal: without an ID the two have nothing else in common that tells people apart."""
    return all(_name(kept)[:2]) and _name(kept)[:2] == _name(film)[:2]


def _differ(mine: str | None, theirs: str | None) -> bool:
    """What one leaves out contradicts nothing."""
    return mine is not None and theirs is not None and mine != theirs


def _name(facts: Facts) -> tuple[str | None, str | None, str | None]:
    """Family name, given name and suffix (PS3.5 6.2.1.1) as they are compared; middle names and titles come and go, *Sr* and
    *Jr* are father and son."""
    parts = [*unicodedata.normalize("NFC", facts.patient_name or "").casefold().split("^"), *[""] * 5]
    family, given, suffix = (" ".join(parts[place].replace(".", " ").split()) or None for place in (0, 1, 4))
    return family, given, suffix


def _birth_date(facts: Facts) -> str | None:
    """DA, YYYYMMDD or the old YYYY.MM.DD (PS3.5 6.2)."""
    date = (facts.patient_birth_date or "").replace(".", "")
    return None if date in NO_BIRTH_DATES else date or None


def _sex(facts: Facts) -> str | None:
    """M or F; *other* and anything else say nothing that could contradict."""
    sex = (facts.patient_sex or "").upper()
    return sex if sex in ("M", "F") else None
