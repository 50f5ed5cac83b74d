"""Evidence → the page. The order of :data:`SECTIONS` is the order of reading."""

from collections.abc import Callable

from training import progress
from training.manifest import DataSet
from training.report import (
    cohort,
    decisions,
    discrimination,
    films,
    gate,
    learning,
    maps,
    page,
    probability,
    provenance,
    shortcuts,
    subgroups,
    summary,
    waiting,
)
from training.report.evidence import Evidence, gather
from training.report.page import Section
from training.run import Run

SECTIONS: tuple[Callable[[Evidence], Section], ...] = (
    summary.section,
    waiting.section,
    discrimination.section,
    decisions.section,
    subgroups.section,
    probability.section,
    films.section,
    maps.section,
    gate.section,
    cohort.section,
    provenance.labels,
    shortcuts.section,
    learning.section,
    provenance.limits,
    provenance.pedigree,
    provenance.credit,
)


def html(run: Run, data: DataSet, version: str = "") -> str:
    """``report.html`` of a calibrated run, evaluated or not: one file, nothing fetched, the same bytes for the same input.

    Raises:
        TrainingError: a step is missing, or the run is of other data.
    """
    return rendered(gather(run, data), version)


def rendered(evidence: Evidence, version: str = "") -> str:
    """The page of what was gathered. Pure."""
    sections = [section(evidence) for section in progress.track(SECTIONS, "report")]
    name = evidence.run.recipe.name
    lead = f"Report of the network {name}, trained on {evidence.data.source['name']}."
    return page.render(f"{name} {version}".strip(), lead, sections)
