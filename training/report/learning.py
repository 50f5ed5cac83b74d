"""Learning curves: loss and val AUC of every member, its best epoch marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from training.report import drawing, page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence

LINES = (
    (drawing.BLUE, "-"),
    (drawing.ORANGE, "--"),
    (drawing.GREEN, "-."),
    (drawing.PURPLE, ":"),
    (drawing.GREY, (0, (5, 1, 1, 1))),
)

PANELS = {"loss": "Loss on train", "val_loss": "Loss on val", "val_auc": "AUC on val"}
"""What is drawn of a line of the history, where it is there."""


def section(evidence: "Evidence") -> Section:
    """One plot, one table of best epochs."""
    if not evidence.history:
        return Section("learning", "Learning curves", (page.paragraph("The run kept no history."),))
    rows = [
        (f"seed {seed}", f"{best['epoch']} of {epochs[-1]['epoch']}", f"{best['val_auc']:.3f}", f"{best['loss']:.3f}")
        for seed, epochs in _by_seed(evidence.history).items()
        for best in [best_epoch(epochs)]
    ]
    caption = (
        "Loss on train and AUC on val (best labels) by epoch, as training wrote them; the ring marks the epoch whose "
        "weights were kept. The loss is weighted and, where labels are softened or smoothed, cannot reach zero."
    )
    blocks = (
        page.plot(curves(evidence.history), caption),
        page.table("Best epochs", ("member", "best epoch", "val AUC", "loss"), rows),
    )
    return Section("learning", "Learning curves", blocks)


def best_epoch(epochs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The epoch that training kept: the first with the highest val AUC."""
    return max(epochs, key=lambda line: float(line["val_auc"]))


def curves(history: Sequence[dict[str, Any]]) -> Markup:
    """Loss and val AUC by epoch, a line a seed."""
    panels = {name: title for name, title in PANELS.items() if all(name in line for line in history)}
    with drawing.sheet(11, 3.8, columns=len(panels)) as (figure, axes):
        for place, (seed, epochs) in enumerate(_by_seed(history).items()):
            colour, dash = LINES[place % len(LINES)]
            x, best = [line["epoch"] for line in epochs], best_epoch(epochs)
            for axis, name in zip(axes, panels, strict=True):
                axis.plot(x, [line[name] for line in epochs], color=colour, linestyle=dash, label=f"seed {seed}")
                axis.plot(best["epoch"], best[name], "o", mec=colour, mfc="white", mew=2, ms=8)
        for axis, title in zip(axes, panels.values(), strict=True):
            axis.set_title(title)
            axis.set_xlabel("epoch")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylim(bottom=0)
        axes[-1].legend(loc="lower right")
        return drawing.svg(figure)


def _by_seed(history: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    return {seed: [line for line in history if line["seed"] == seed] for seed in sorted({line["seed"] for line in history})}
