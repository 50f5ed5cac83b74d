"""Accuracy and loss by epoch as a picture: the over-fitting seen."""

from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

LINES = {"train": ("#0072B2", "-"), "val": ("#D55E00", "--")}
"""Colour (Okabe and Ito's, told apart by the colour-blind) and dash."""
KEYS = {"accuracy": {"train": "accuracy", "val": "val_accuracy"}, "loss": {"train": "loss", "val": "val_loss"}}
STYLE: dict[Any, Any] = {"svg.hashsalt": "reproduction", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11}


def curves(found: dict[str, Any]) -> str:
    """SVG, the same text for the same figures: accuracy above, loss below, a column for each protocol."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 6.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(KEYS), len(found["protocols"]), sharex=True, sharey="row", squeeze=False)
        for column, (name, protocol) in enumerate(found["protocols"].items()):
            for row, (quantity, keys) in enumerate(KEYS.items()):
                _panel(axes[row][column], protocol["epochs"], keys)
                if column == 0:
                    axes[row][column].set_ylabel(quantity)
            splits = protocol["splits"]
            axes[0][column].set_title(f"{name}: {splits['train']['films']:,} train, {splits['val']['films']:,} val films")
            axes[-1][column].set_xlabel("epoch")
            axes[-1][column].set_xticks(found["epochs"])
        axes[0][0].legend(frameon=False, loc="upper left")
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _panel(axes: Any, rows: list[dict[str, Any]], keys: dict[str, str]) -> None:
    for split, key in keys.items():
        colour, dash = LINES[split]
        axes.plot([row["epoch"] for row in rows], [row[key] for row in rows], dash, color=colour, label=split)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
