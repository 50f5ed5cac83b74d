"""The sentences of a result, as a person reads them in a viewer. Never that a film is free of anything."""

from triage.domain.assessment import Model
from triage.domain.level import Level
from triage.domain.ours import MODEL_NAME
from triage.domain.result import Result, ResultImage

_MOST_DIGITS = 10


def sentences(result: Result, replaced: int | None = None) -> list[str]:
    """What the result says, the outcome first. ``replaced``: the number of the result that this one replaces."""
    said = [outcome(result)]
    if result.reason is not None:
        said.append(f"Reason: {result.reason.sentence}.")
    said.append(coverage(result))
    said.append(f"Decided at {result.decided_at:%Y-%m-%d %H:%M:%S} UTC by {maker(result.model)}.")
    if replaced is not None:
        said.append(f"This is result {result.number} of the study; it replaces result {replaced}.")
    return said


def outcome(result: Result) -> str:
    """What the model said, in one sentence."""
    if result.level not in (Level.FLAGGED, Level.NOT_FLAGGED) or result.probability is None or result.model is None:
        scope = "Out of scope of this model; not assessed" if result.level is Level.OUT_OF_SCOPE else "Not assessed"
        return f"{scope}: no number was given. The study waits for a reader like any other."
    probability, threshold = percents(result.probability, result.model.threshold)
    if result.level is Level.FLAGGED:
        return (
            f"Flagged by this model for earlier reading: probability of any abnormality {probability} %, "
            f"at or above the operating point of {threshold} %."
        )
    return (
        f"Not flagged by this model: probability of any abnormality {probability} %, below the operating point of "
        f"{threshold} %. This is not a statement that nothing is there."
    )


def coverage(result: Result) -> str:
    """How many of the study's images the result rests on, and why the others do not count."""
    scored = sum(image.probability is not None for image in result.images)
    others = [_why(number, image) for number, image in enumerate(result.images, start=1) if image.probability is None]
    said = f"Images scored: {scored} of {len(result.images)}."
    return " ".join([said, *others])


def maker(model: Model | None) -> str:
    """Who says so."""
    return f"the model {plain(model.label)}" if model is not None else f"{MODEL_NAME}; no model was asked"


def percents(probability: float, threshold: float) -> tuple[str, str]:
    """Both in per cent, with as few digits as leave the one on its side of the other."""
    for digits in range(1, _MOST_DIGITS):
        shown = [f"{100 * value:.{digits}f}" for value in (probability, threshold)]
        if (float(shown[0]) >= float(shown[1])) == (probability >= threshold):
            return shown[0], shown[1]
    return f"{100 * probability:.{_MOST_DIGITS}f}", f"{100 * threshold:.{_MOST_DIGITS}f}"


def plain(text: str, longest: int = 64) -> str:
    """A name as every character set has it: printable ASCII, no backslash, and never empty."""
    kept = "".join(letter if " " <= letter <= "~" and letter != "\\" else "?" for letter in text[:longest])
    return kept.strip() or "?"


def _why(number: int, image: ResultImage) -> str:
    return f"Image {number} was not scored: {image.reason.sentence if image.reason else 'nobody looked at it'}."
