"""The shortcut audit of the train films, as ``python -m training audit`` finds it."""

from typing import TYPE_CHECKING

from training.report import page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence

HEADS = ("films", "view, sex, age alone", "8 × 8 thumbnail", "twelve grey statistics")


def section(evidence: "Evidence") -> Section:
    """What it is, what it means, the figures, the same picture twice."""
    found = evidence.audit
    blocks = [
        page.paragraph(
            "How well the label can be told without looking at the chest: logistic regression on view, sex and age, on an "
            "8 × 8 thumbnail and on statistics of the grey values; train films only, cross-validated by patient within the "
            "group. An AUC of 0.5 says that there is nothing to learn there."
        ),
        page.bullets(found["meaning"]),
    ]
    for who, groups in found["auc"].items():
        rows = [(group, *(page.figure(value) for value in values.values())) for group, values in groups.items()]
        if rows:
            blocks.append(page.table(f"train: AUC of shortcuts against {who} labels", HEADS, rows))
    pairs = found["duplicates"]
    leaks = sum(pair["leaks"] for pair in pairs)
    blocks.append(page.paragraph(f"The same picture twice: {len(pairs)} pairs, {leaks} of them across train, val and test."))
    return Section("shortcuts", "Shortcut audit", tuple(blocks))
