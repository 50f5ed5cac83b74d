"""Subgroups: AUC with its interval, a row a group, both label sources."""

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from training import card
from training.report import drawing, page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence


def section(evidence: "Evidence") -> Section:
    """The forest plot and the same as a table."""
    shown = evidence.shown
    sources = list(shown.by_source())
    areas = {who: shown.auc[who] for who in sources}
    names = [name for name in areas[sources[0]] if any(areas[who][name]["n"] for who in sources)]
    rows = [(name, *(page.figure(areas[who][name]) for who in sources)) for name in names]
    blocks = [
        page.plot(
            forest(areas, names),
            f"AUC on {shown.name} by group with its 95 % interval ({shown.interval}); n beside it. Groups overlap, most are "
            "small: a difference between two whose intervals meet is no finding. Groups with fewer than two films of a "
            "class have no AUC.",
        ),
        page.table(f"{shown.name}: AUC by group", ("group", *(card.SOURCES[who] for who in sources)), rows),
        *_findings(evidence, sources),
    ]
    return Section("subgroups", "Subgroups", tuple(blocks))


def _findings(evidence: "Evidence", sources: list[str]) -> list[Markup]:
    """AUC by finding, where evaluate measured it."""
    found = (evidence.metrics or {}).get(evidence.shown.name, {}).get("findings", {})
    if not any(found.values()):
        return []
    names = list(found[sources[0]])
    rows = [(name.replace("_", " "), *(page.figure(found[who][name]) for who in sources)) for name in names]
    heads = ("finding of the report", *(card.SOURCES[who] for who in sources))
    return [page.table(f"{evidence.shown.name}: AUC by finding, films with it against normal ones", heads, rows)]


def forest(areas: dict[str, dict[str, Any]], names: list[str]) -> Markup:
    """A panel a label source, groups from top to bottom."""
    places = np.arange(len(names))[::-1]
    with drawing.sheet(5.5 * len(areas), 1.3 + 0.32 * len(names), columns=len(areas), sharey=True) as (figure, axes):
        for axis, (who, groups) in zip(axes, areas.items(), strict=True):
            colour = drawing.SOURCE_COLOURS[who]
            for place, name in zip(places, names, strict=True):
                found = groups[name]
                axis.annotate(
                    f"n={found['n']}", (1, place), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                    va="center", fontsize=9, color=drawing.INK, annotation_clip=False,
                )  # fmt: skip
                if found["value"] is None:
                    axis.text(
                        0.5,
                        place,
                        "too few films",
                        va="center",
                        ha="center",
                        fontsize=9,
                        color=drawing.GREY,
                        backgroundcolor="white",
                    )
                    continue
                axis.plot([found["low"], found["high"]], [place, place], color=colour, linewidth=1.6)
                axis.plot(found["value"], place, "s" if name == "all" else "o", color=colour, ms=8 if name == "all" else 6)
            axis.axvline(0.5, color=drawing.GREY, linestyle="--", linewidth=1)
            axis.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.4), xlabel="AUC (dashed: chance)")
            axis.set_yticks(places, names)
            axis.grid(axis="y", visible=False)
            axis.set_title(f"{card.SOURCES[who][0].upper()}{card.SOURCES[who][1:]}")
        return drawing.svg(figure)
