"""What a reader's verdict says of a film: a label for training, or why there is none."""

from collections.abc import Mapping
from enum import StrEnum

from triage.domain.level import Level
from triage.domain.study import ReadingState, Study


class Verdict(StrEnum):
    """A reader's word on the network's word, as :class:`triage.domain.study.Reading` keeps it."""

    AGREE = "agree"
    DISAGREE = "disagree"
    NOT_ASSESSABLE = "not_assessable"


class Label(StrEnum):
    """What the reader saw, as training calls it."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"


class NoLabel(StrEnum):
    """Why a study gives no label, in words for a summary."""

    UNREAD = "not read"
    NO_VERDICT = "read without a verdict"
    NOT_ASSESSABLE = "the reader called it not assessable"
    UNKNOWN_VERDICT = "a verdict that this version does not know"
    NOT_ASSESSED = "the network had not assessed it"
    NO_TIME = "a verdict without its time"
    LATER = "assessed (again) after it was read"
    DOUBT = "whose films these are is in doubt, or one of them was set aside"


LABELS: Mapping[tuple[Level, Verdict], Label] = {
    (Level.FLAGGED, Verdict.AGREE): Label.ABNORMAL,
    (Level.FLAGGED, Verdict.DISAGREE): Label.NORMAL,
    (Level.NOT_FLAGGED, Verdict.AGREE): Label.NORMAL,
    (Level.NOT_FLAGGED, Verdict.DISAGREE): Label.ABNORMAL,
}
"""By the network's level, not a person's STAT: the verdict is about the network's word."""


def label_of(study: Study) -> Label | NoLabel:
    """The label that the reader's verdict gives; a verdict counts only for the assessment that the reader had in view."""
    reading = study.reading
    if reading.state is not ReadingState.READ:
        return NoLabel.UNREAD
    if not reading.verdict:
        return NoLabel.NO_VERDICT
    if reading.verdict not in set(Verdict):
        return NoLabel.UNKNOWN_VERDICT
    verdict = Verdict(reading.verdict)
    if verdict is Verdict.NOT_ASSESSABLE:
        return NoLabel.NOT_ASSESSABLE
    label = LABELS.get((study.network_level, verdict))
    if label is None or study.assessed_at is None:
        return NoLabel.NOT_ASSESSED
    if study.doubt is not None:
        return NoLabel.DOUBT
    if reading.verdict_at is None:
        return NoLabel.NO_TIME
    return label if study.assessed_at <= reading.verdict_at else NoLabel.LATER
