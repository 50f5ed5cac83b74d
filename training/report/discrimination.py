"""ROC and precision–recall curves by label source, the operating point marked."""

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from training import card, resample
from training.report import drawing, page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence, Scored

GRID = np.linspace(0, 1, 101)


def section(evidence: "Evidence") -> Section:
    """Two plots: ROC, then precision and recall."""
    shown, threshold = evidence.shown, evidence.threshold
    drawable = [who for who, (positive, _) in shown.by_source().items() if len(set(positive)) == 2]
    if not drawable:
        return Section("roc", "ROC and precision–recall", (page.paragraph("Films of only one class: there is no curve."),))
    blocks = (
        page.plot(
            roc(shown, drawable, threshold),
            f"ROC on {shown.name}. Band: pointwise 95 % interval from {resample.RESAMPLES:,} bootstrap resamples of "
            f"patients. The diamond is the operating point (threshold {threshold:.4f}).",
        ),
        page.plot(
            precision_recall(shown, drawable, threshold),
            f"Precision (of the flagged films, the share that is abnormal) by recall (sensitivity) on {shown.name}. The "
            "dashed line is the share of abnormal films here: what flagging at random would give. Precision depends on "
            "that share.",
        ),
    )
    return Section("roc", "ROC and precision–recall", blocks)


def band(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], drawn: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pointwise 95 % band of the sensitivity over :data:`GRID` of false-positive rates; ``drawn`` (B, n): how often each
    resample took each film."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # tied films are passed together
    sensitivities = []
    for times in drawn[:, order]:
        ill, well = np.cumsum(times * positive[order]), np.cumsum(times * ~positive[order])
        if ill[-1] and well[-1]:
            x, y = np.append(0, well[last] / well[-1]), np.append(0, ill[last] / ill[-1])
            sensitivities.append(np.interp(GRID, x, y))
    low, high = np.percentile(sensitivities, (2.5, 97.5), axis=0)
    return low, high


def roc(shown: "Scored", drawable: list[str], threshold: float) -> Markup:
    """A panel a label source."""
    with drawing.sheet(5.5 * len(drawable), 5.0, columns=len(drawable)) as (figure, axes):
        for axis, who in zip(axes, drawable, strict=True):
            positive, scores = shown.by_source()[who]
            colour = drawing.SOURCE_COLOURS[who]
            low, high = band(positive, scores, resample.weights(shown.patients(who), np.random.default_rng(resample.SEED)))
            x, y, _ = roc_curve(positive, scores, drop_intermediate=False)
            axis.fill_between(GRID, low, high, color=colour, alpha=0.18, linewidth=0, label="95 % band")
            axis.plot(x, y, color=colour, label=f"AUC {page.figure(shown.auc[who]['all'])}")
            axis.plot([0, 1], [0, 1], color=drawing.GREY, linestyle="--", linewidth=1, label="chance")
            flagged = scores >= threshold
            _mark(axis, float(flagged[~positive].mean()), float(flagged[positive].mean()))
            _frame(axis, card.SOURCES[who], len(scores), "false-positive rate (1 − specificity)", "sensitivity")
            axis.legend(loc="lower right")
        return drawing.svg(figure)


def precision_recall(shown: "Scored", drawable: list[str], threshold: float) -> Markup:
    """A panel a label source."""
    with drawing.sheet(5.5 * len(drawable), 4.4, columns=len(drawable)) as (figure, axes):
        for axis, who in zip(axes, drawable, strict=True):
            positive, scores = shown.by_source()[who]
            precision, recall, _ = precision_recall_curve(positive, scores)
            share = float(positive.mean())
            axis.plot(recall, precision, color=drawing.SOURCE_COLOURS[who], drawstyle="steps-post", label="network")
            axis.axhline(share, color=drawing.GREY, linestyle="--", linewidth=1, label=f"share abnormal {share:.2f}")
            flagged = scores >= threshold
            if flagged.any():
                _mark(axis, float(flagged[positive].mean()), float(positive[flagged].mean()))
            _frame(axis, card.SOURCES[who], len(scores), "recall (sensitivity)", "precision")
            axis.legend(loc="lower left")
        return drawing.svg(figure)


def _mark(axis: Axes, x: float, y: float) -> None:
    axis.plot(x, y, "D", ms=9, mfc="white", mec=drawing.INK, mew=2, label=f"operating point ({x:.2f}, {y:.2f})", clip_on=False)


def _frame(axis: Axes, title: str, n: int, x: str, y: str) -> None:
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y)
    axis.set_title(f"{title[0].upper()}{title[1:]}, n = {n}")
