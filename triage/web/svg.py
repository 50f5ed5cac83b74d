"""Plots as values: marks with a class and geometry. ``fragments/plot.html`` writes them, and escapes what they say.

Nothing here is told by colour alone: filled, hatched, dotted and hollow are told apart in black and white.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor, log, log10

WIDTH = 600
HATCHED, DOTTED = "url(#hatched)", "url(#dotted)"
"""Fills of ``fragments/plot.html``. An attribute, as a style sheet would look for them in its own file."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An SVG element: its name, its class (``analytics.css`` gives the look) and attributes; ``text``: what it says."""

    shape: str
    kind: str
    attributes: dict[str, str | float]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing with its title and a description for those who do not see it."""

    id: str
    title: str
    description: str
    height: int
    marks: Sequence[Mark]
    width: int = WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Values from 0 to ``top`` onto pixels from ``start`` to ``end``."""

    top: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel."""
        return round(self.start + (self.end - self.start) * (value / self.top if self.top else 0), 1)

    def ticks(self) -> list[float]:
        """Two to five round values, 0 first."""
        if self.top <= 0:
            return [0]
        power = 10.0 ** floor(log10(self.top))
        step = next(power * part for part in (2, 1, 0.5, 0.2) if self.top / (power * part) >= 2)
        return [round(step * place, 6) for place in range(int(self.top / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logarithmic:
    """Values from ``low`` to ``top`` onto pixels; what is less than ``low`` is put at it."""

    low: float
    top: float
    start: float
    end: float = field(default=0)

    def __call__(self, value: float) -> float:
        """The pixel."""
        place = log(max(value, self.low) / self.low) / log(self.top / self.low)
        return round(self.start + (self.end - self.start) * place, 1)


def rect(kind: str, x: float, y: float, width: float, height: float, fill: str = "") -> Mark:
    """A bar."""
    shape: dict[str, str | float] = {"x": x, "y": y, "width": round(max(0.0, width), 1), "height": round(max(0.0, height), 1)}
    return Mark("rect", kind, shape | {"fill": fill} if fill else shape)


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Mark:
    """A line."""
    return Mark("line", kind, {"x1": x1, "y1": y1, "x2": x2, "y2": y2})


def circle(kind: str, x: float, y: float, radius: float) -> Mark:
    """A dot."""
    return Mark("circle", kind, {"cx": x, "cy": y, "r": radius})


def polyline(kind: str, points: Sequence[tuple[float, float]]) -> Mark:
    """A line through points."""
    return Mark("polyline", kind, {"points": " ".join(f"{x},{y}" for x, y in points)})


def words(kind: str, x: float, y: float, text: str, anchor: str = "start") -> Mark:
    """A label; ``anchor``: which of its ends stands at ``x``."""
    return Mark("text", kind, {"x": x, "y": y, "text-anchor": anchor}, text)


def key(x: float, y: float, entries: Sequence[tuple[str, str, str]]) -> list[Mark]:
    """What each filling means, in a line from ``x`` on: (kind, fill, word)."""
    marks = []
    for kind, fill, word in entries:
        marks += [rect(f"bar {kind}", x, y - 9, 14, 10, fill), words("label", x + 20, y, word)]
        x += 20 + 7.2 * len(word) + 22
    return marks
