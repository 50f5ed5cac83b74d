"""A film before it has a digest: what its source says of it."""

import re
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from training.importers.read import UnreadableError
from training.manifest import UNKNOWN_AGE
from triage.imaging.eligibility import examine, view_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``patient``: the source's own number, hashed before it is kept; ``split`` empty: by patient hash."""

    name: str
    patient: str
    text_label: str
    radiologist_label: str = ""
    radiologist_source: str = ""
    view: str = ""
    sex: str = ""
    age: int = UNKNOWN_AGE
    findings: str = ""
    pool: str = ""
    split: str = ""
    peer_probability: float | None = None


def described(entry: Entry, dataset: Dataset) -> Entry:
    """``entry`` with view, sex, age and, where there is one, Patient ID of the DICOM file it is in.

    Raises:
        UnreadableError: a lateral or other view.
    """
    reason = examine(dataset, 0)
    if reason is not None:  # the service would not assess it, whatever the patient's age
        raise UnreadableError(f"no film the service would assess: {reason.sentence}")
    view = (view_of(dataset) or "").upper().strip()
    if view[:2] not in ("PA", "AP", ""):
        raise UnreadableError(f"view {view}: frontal films only")
    sex = str(dataset.get("PatientSex") or "").upper()
    return replace(
        entry,
        patient=str(dataset.get("PatientID") or "").strip() or entry.patient,
        view=view[:2],
        sex=sex if sex in ("F", "M") else "",
        age=years(str(dataset.get("PatientAge") or "")),
    )


def years(text: str) -> int:
    """Whole years of Patient's Age (PS3.5 6.2, VR AS), rounded down; ``UNKNOWN_AGE`` for anything else."""
    found = re.fullmatch(r"(\d{1,3})([DWMY])", text.strip(), re.ASCII)
    return int(int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[found[2]]) if found else UNKNOWN_AGE
