"""The most confident errors, film by film."""

from typing import TYPE_CHECKING

from markupsafe import Markup

from training import card
from training.manifest import UNKNOWN_AGE, Film
from training.report import choice, drawing, page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence

CHILD = 16
HEADINGS = {
    ("radiologist", "abnormal"): "Missed: a radiologist says abnormal, the network does not flag",
    ("radiologist", "normal"): "False alarm: a radiologist says normal, the network flags",
    ("text", "abnormal"): "Missed, if the report's label is right (no radiologist's label)",
    ("text", "normal"): "False alarm, if the report's label is right (no radiologist's label)",
}


def section(evidence: "Evidence") -> Section:
    """A row of films for each kind of error."""
    shown = evidence.shown
    blocks = [
        page.paragraph(
            f"Of the {shown.name} films on the wrong side of the threshold {evidence.threshold:.4f}, those furthest from "
            f"it; each under its best label, at most {choice.WORST} of a kind. An error against a report's label may be the "
            "label's error."
        )
    ]
    places = {kind: choice.worst(shown.films, shown.probabilities, evidence.threshold, *kind) for kind in choice.ERRORS}
    if any(UNKNOWN_AGE < shown.films[place].age < CHILD for found in places.values() for place in found):
        blocks.append(page.paragraph(f"Patients under {CHILD} are among them; the service sets their films aside.", "note"))
    blocks += [_row(evidence, kind, found) for kind, found in places.items() if found]
    if not any(places.values()):
        blocks.append(page.paragraph("There is none."))
    blocks.append(credit_line(evidence))
    return Section("errors", "Worst errors", tuple(blocks))


def credit_line(evidence: "Evidence") -> Markup:
    """Whose films they are; stands wherever films are shown."""
    return page.paragraph(f"Films: {card.credits(evidence.data, evidence.pedigree)[0]}", "note")


def lines_of(film: Film, probability: float) -> list[str]:
    """A film in a few words: probability, labels, view, sex, age, findings."""
    labels = f"report: {film.text_label}"
    if film.radiologist_label:
        labels = f"radiologist: {film.radiologist_label}; {labels}"
    facts = [film.view or "view unknown", film.sex, f"{film.age} years" if film.age != UNKNOWN_AGE else ""]
    lines = [f"probability {probability:.3f}", labels, ", ".join(filter(None, facts))]
    return [*lines, *([film.findings.replace("|", ", ").replace("_", " ")] if film.findings else [])]


def _row(evidence: "Evidence", kind: tuple[str, str], places: list[int]) -> Markup:
    shown = evidence.shown
    pictures = []
    for place in places:
        film = shown.films[place]
        lines = lines_of(film, float(shown.probabilities[place]))
        pictures.append(page.picture(drawing.jpeg(evidence.pictures[film.digest]), f"Film: {'; '.join(lines)}", lines))
    return page.gallery(HEADINGS[kind], pictures)
