"""The drawing board: one house style for every plot (SVG text), and films as pictures (data URIs)."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

BLUE, ORANGE, GREEN, PURPLE, GREY, INK = "#0072b2", "#d55e00", "#009e73", "#9b5a8c", "#767676", "#1a1a1a"
"""Colours that the colour-blind tell apart (Okabe and Ito 2008, darkened to be read on white)."""
CLASS_COLOURS = {"abnormal": ORANGE, "normal": BLUE}
SOURCE_COLOURS = {"radiologist": BLUE, "text": ORANGE, "best": GREEN}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
JPEG_QUALITY = 82


@contextmanager
def sheet(
    width: float, height: float, columns: int = 1, rows: int = 1, **arguments: Any
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure of so many inches (72 px each on the page) with its axes, in the house style; no global state is touched."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **arguments)
        yield figure, list(axes.flat)


def svg(figure: Figure) -> Markup:
    """The figure as inline SVG: the same bytes for the same figure, no metadata, no ids but those that are referred to."""
    buffer = BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    text = buffer.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| version="1\.1"', "", text).replace("xlink:href", "href")
    used = set(re.findall(r'#([\w-]+)[")]', text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL).replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    # what is drawn here was computed here; words from outside were escaped by matplotlib
    return Markup(text)  # noqa: S704


def jpeg(pixels: NDArray[np.uint8]) -> str:
    """Grey (h, w) or colour (h, w, 3) pixels as a data URI."""
    return _data_uri(pixels, "jpeg", quality=JPEG_QUALITY, optimize=True)


def png(pixels: NDArray[np.uint8]) -> str:
    """Grey (h, w) or colour (h, w, 3) pixels as a data URI, without loss."""
    return _data_uri(pixels, "png", optimize=True)


def _data_uri(pixels: NDArray[np.uint8], kind: str, **options: Any) -> str:
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    metadata: Any = {"Software": None} if kind == "png" else None
    buffer = BytesIO()
    imsave(buffer, colour, format=kind, metadata=metadata, pil_kwargs=options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
