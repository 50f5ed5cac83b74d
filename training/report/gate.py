"""The image gate: which pictures it lets pass and which it keeps back."""

from typing import TYPE_CHECKING

from training import card
from training.report import page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence

HEADS = ("kind of picture", "should be", "share that is", "what it is called")


def section(evidence: "Evidence") -> Section:
    """Of the test split where it was evaluated, else of val."""
    found = (evidence.metrics or {}).get("image_gate")
    if not found:
        said = "This run has no image gate, or was not evaluated since it has: films are judged by their tags."
        return Section("gate", "Image gate", (page.paragraph(said, "warn"),))
    rows = [(*row[:2], page.figure(right), row[2]) for row, right in card.gate_rows(found)]
    return Section(
        "gate",
        "Image gate",
        (
            page.paragraph(card.GATE),
            page.table("Pictures made of the films of the locked test split, and drawn ones", HEADS, rows),
            page.paragraph("In brackets Wilson's 95 % interval and the number of pictures.", "note"),
        ),
    )
