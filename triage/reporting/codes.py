"""The codes of a result: a table. Public ones where they say exactly what is meant, else our own scheme."""

from collections.abc import Mapping
from typing import NamedTuple

from triage.domain.identifiers import derived_uid
from triage.domain.level import Level
from triage.domain.ours import CODING_SCHEME as SCHEME
from triage.domain.reason import Reason

SCHEME_UID = derived_uid("chest X-ray triage", "coding scheme")
SCHEME_NAME = "Chest X-ray triage project codes"


class Coded(NamedTuple):
    """A code: its value (SH, at most 16 characters), scheme and meaning (LO, at most 64)."""

    value: str
    scheme: str
    meaning: str


TITLE = Coded("126000", "DCM", "Imaging Measurement Report")
PROCEDURE = Coded("399208008", "SCT", "Plain chest X-ray")
CHEST = Coded("51185008", "SCT", "Chest")
CERTAINTY = Coded("111012", "DCM", "Certainty of Finding")
FAMILY = Coded("122402", "DCM", "Artificial Intelligence")
COMMENT = Coded("121106", "DCM", "Comment")
PERCENT = Coded("%", "UCUM", "Percent")
# not a public code for "abnormal": beside a certainty of 3 %, or none, it would be read as a diagnosis
FINDING = Coded("ANY-ABNORMALITY", SCHEME, "Any abnormality, as searched for by the model")
OPERATING_POINT = Coded("OPERATING-POINT", SCHEME, "Operating point: flagged at or above it")
LEVEL = Coded("TRIAGE-LEVEL", SCHEME, "Triage level")
REASON = Coded("REASON", SCHEME, "Why no number was given")

LEVELS: Mapping[Level, Coded] = {
    Level.FLAGGED: Coded("FLAGGED", SCHEME, "Flagged by this model for earlier reading"),
    Level.NOT_FLAGGED: Coded("NOT_FLAGGED", SCHEME, "Not flagged by this model; not a statement that nothing is there"),
    Level.NOT_ASSESSED: Coded("NOT_ASSESSED", SCHEME, "Not assessed by this model"),
    Level.OUT_OF_SCOPE: Coded("OUT_OF_SCOPE", SCHEME, "Out of scope of this model; not assessed"),
}
_SHORT = {  # (value, meaning) of reasons that are longer than a code may be
    Reason.POLARITY_CONFLICT: ("POLARITY", Reason.POLARITY_CONFLICT.sentence),
    Reason.FILM_SET_ASIDE: ("FILM_SET_ASIDE", "a film of it was refused and set aside"),
    Reason.IDENTITY_CONFLICT: ("IDENTITY", "another patient's film came under its study UID"),
}
REASONS: Mapping[Reason, Coded] = {
    reason: Coded(value, SCHEME, meaning)
    for reason in Reason
    for value, meaning in [_SHORT.get(reason, (reason.name, reason.sentence))]
}
