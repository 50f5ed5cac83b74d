"""What the operating point does: a confusion matrix by label source and split."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from training import card, statistics
from training.report import page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence


def section(evidence: "Evidence") -> Section:
    """A table for each split and label source."""
    blocks = [
        page.paragraph(
            f"A film is flagged from the probability {evidence.threshold:.4f} on. That threshold was chosen for: "
            f"{evidence.point['aim']} (labels there: {evidence.point['labels']}). It is the only operating point in use."
        )
    ]
    cells = []
    for scored in filter(None, (evidence.test, evidence.val)):
        for who, (positive, scores) in scored.by_source().items():
            title = f"{scored.name}, {card.SOURCES[who]}, n = {len(scores)}"
            found = page.table(
                title, ("", "flagged", "not flagged", "share right"), matrix(positive, scores, evidence.threshold)
            )
            cells.append(found + _predictive(positive, scores >= evidence.threshold))
    blocks.append(page.columns(cells))
    blocks += _stated(evidence.point.get("predictive_values"))
    return Section("decisions", "Confusion matrices at the operating point", tuple(blocks))


def matrix(positive: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float) -> Iterator[tuple[str, str, str, str]]:
    """Rows abnormal and normal: flagged, not flagged, and the share that is right (sensitivity, specificity)."""
    flagged = scores >= threshold
    for name, inside, right in (("abnormal", positive, flagged), ("normal", ~positive, ~flagged)):
        share = statistics.proportion(int(right[inside].sum()), int(inside.sum()))
        yield name, str(int(flagged[inside].sum())), str(int((~flagged)[inside].sum())), str(share)


def _predictive(positive: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> Markup:
    ppv = statistics.proportion(int(positive[flagged].sum()), int(flagged.sum()))
    npv = statistics.proportion(int((~positive)[~flagged].sum()), int((~flagged).sum()))
    return page.paragraph(
        f"Where {page.percent(float(positive.mean()))} of films are abnormal, as here: of the flagged ones {ppv} are "
        f"abnormal (positive predictive value), of the others {npv} are normal (negative predictive value).",
        "note",
    )


def _stated(values: dict[str, Any] | None) -> list[Markup]:
    """The predictive values at the prevalence that calibrate was told."""
    if not values:
        return []
    rows = [
        (
            {"best": "best labels", **card.SOURCES}[who],
            *("–" if pair[name] is None else f"{pair[name]:.3f}" for name in ("ppv", "npv")),
        )
        for who, pair in values.items()
        if isinstance(pair, dict)
    ]
    caption = f"val: predictive values where {page.percent(values['prevalence'])} of films are abnormal (Bayes' rule)"
    return [page.table(caption, ("labels", "positive", "negative"), rows)]
