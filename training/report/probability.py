"""The probability: what it promises against what was found, before and after calibration; its histogram by class."""

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from training import card, statistics
from training.calibrate import by_source, probabilities
from training.report import drawing, page
from training.report.page import Section
from triage.inference.calibration import Calibration

if TYPE_CHECKING:
    from training.report.evidence import Evidence

PER_GROUP, MOST_GROUPS = 15, 10
"""Films in a point of the reliability diagram at least, and points at most."""
HISTOGRAM_BINS = np.linspace(0, 1, 21)
BEST = "best labels"
NAMES = {"best": BEST, **card.SOURCES}
MEASURES = ("ece", "brier")


def section(evidence: "Evidence") -> Section:
    """Reliability, its figures, histograms."""
    calibration, shown = evidence.calibration, evidence.shown
    rows = [
        (
            f"{NAMES[who]} (n={after['n']})",
            *(_measure(values, what) for what in MEASURES for values in (calibration["before"][who], after)),
        )
        for who, after in calibration["after"].items()
        if after["n"]
    ]
    blocks = [
        page.paragraph(
            f"Platt's calibration, fitted on {calibration['fitted_on']['n']} val films "
            f"({calibration['fitted_on']['labels']}): slope {calibration['slope']:.3f}, intercept "
            f"{calibration['intercept']:.3f}. A slope below 1 says that the raw network was too sure of itself, above 1 not "
            "sure enough."
        ),
        page.plot(
            reliability(evidence),
            "Reliability: films are sorted by probability and cut into groups of equal size; each point is a group, its "
            "bar the 95 % interval (Wilson) of the share found abnormal. On the diagonal the probability keeps its word. "
            "Radiologists' labels exist for a selection with its own share of abnormal films, so one curve cannot fit both.",
        ),
        page.table(
            "val: expected calibration error (ECE) and Brier score, 0 is best",
            ("labels", "ECE before", "ECE after", "Brier before", "Brier after"),
            rows,
        ),
    ]
    if evidence.metrics:
        rows = [
            (NAMES[who], *(_measure(values, what) for what in MEASURES))
            for who, values in evidence.metrics["test"]["calibration"].items()
            if who == "best" or who in shown.by_source()
        ]
        blocks.append(page.table("test: after calibration", ("labels", "ECE", "Brier"), rows))
    caption = (
        f"Probabilities of the {shown.name} films by class; the line is the threshold {evidence.threshold:.4f}. The further "
        "the two classes lie apart, the better."
    )
    blocks.append(page.plot(histograms(evidence), caption))
    return Section("probability", "Calibration and scores", tuple(blocks))


def _measure(values: dict[str, Any], what: str) -> str:
    """A measure with its interval, where calibrate or evaluate gave it one."""
    interval = values.get(f"{what}_interval")
    return page.figure(interval) if interval else f"{values[what]:.3f}"


def groups(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[tuple[float, statistics.Figure]]:
    """Equally filled groups in the order of their scores: mean probability, share abnormal."""
    count = int(np.clip(len(scores) // PER_GROUP, 1, MOST_GROUPS))
    parts = np.array_split(np.argsort(scores, kind="stable"), count)
    return [(float(scores[part].mean()), statistics.proportion(int(positive[part].sum()), len(part))) for part in parts]


def reliability(evidence: "Evidence") -> Markup:
    """A panel for val (best labels, before and after) and one for each label source of the split that is shown (after)."""
    val = evidence.val
    best = np.array([film.label == "abnormal" for film in val.films])
    raw = probabilities(Calibration(method="platt", slope=1.0, intercept=0.0), evidence.val_logits)
    panels = {f"val, {BEST}": {"before": (best, raw), "after": (best, val.probabilities)}}
    for who, pair in by_source(evidence.shown.films, evidence.shown.probabilities).items():
        if len(pair[0]):
            panels[f"{evidence.shown.name}, {card.SOURCES[who]}"] = {"after": pair}
    looks = {"before": (drawing.GREY, "s", "--"), "after": (drawing.BLUE, "o", "-")}
    with drawing.sheet(3.9 * len(panels), 4.2, columns=len(panels), sharey=True) as (figure, axes):
        for axis, (title, lines) in zip(axes, panels.items(), strict=True):
            axis.plot([0, 1], [0, 1], color=drawing.GREY, linewidth=1, linestyle=":")
            for name, (positive, scores) in lines.items():
                colour, marker, dash = looks[name]
                found = groups(positive, scores)
                x, y = [said for said, _ in found], np.array([share.value for _, share in found], dtype=float)
                bars = np.abs(np.array([(share.low, share.high) for _, share in found], dtype=float).T - y)
                axis.errorbar(
                    x,
                    y,
                    bars,
                    color=colour,
                    marker=marker,
                    linestyle=dash,
                    elinewidth=1,
                    capsize=2,
                    ms=5,
                    label=f"{name} calibration",
                )
            axis.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="probability said")
            axis.set_title(f"{title}, n = {len(next(iter(lines.values()))[0])}", fontsize=10)
            axis.legend(loc="upper left")
        axes[0].set_ylabel("share found abnormal")
        return drawing.svg(figure)


def histograms(evidence: "Evidence") -> Markup:
    """A panel a label source; abnormal filled, normal hatched and hanging below the axis, so that none hides the other."""
    sources = evidence.shown.by_source()
    with drawing.sheet(5.5 * len(sources), 3.8, columns=len(sources)) as (figure, axes):
        for axis, (who, (positive, scores)) in zip(axes, sources.items(), strict=True):
            counts = {
                name: np.histogram(scores[positive == ill], HISTOGRAM_BINS)[0]
                for name, ill in (("abnormal", True), ("normal", False))
            }
            width = HISTOGRAM_BINS[1]
            axis.bar(
                HISTOGRAM_BINS[:-1],
                counts["abnormal"],
                width,
                align="edge",
                color=drawing.ORANGE,
                edgecolor="white",
                label="abnormal",
            )
            axis.bar(
                HISTOGRAM_BINS[:-1],
                -counts["normal"],
                width,
                align="edge",
                color="#9ecbe6",
                edgecolor=drawing.BLUE,
                hatch="///",
                label="normal",
            )
            axis.axhline(0, color=drawing.INK, linewidth=0.8)
            axis.axvline(evidence.threshold, color=drawing.INK, linestyle="--", linewidth=1.4, label="threshold")
            axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
            axis.set(xlim=(0, 1), xlabel="probability", ylabel="films")
            axis.set_title(f"{card.SOURCES[who][0].upper()}{card.SOURCES[who][1:]}, n = {len(scores)}")
            axis.legend(loc="lower right", frameon=True, edgecolor="white")
        return drawing.svg(figure)
