"""The page: sections made of paragraphs, tables, plots and films; everything from outside is escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training.statistics import Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with its anchor, its heading and the blocks under it."""

    anchor: str
    title: str
    blocks: tuple[Markup, ...]


def render(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page: no script, nothing fetched."""
    return _templates().get_template("page.html").render(title=title, lead=lead, sections=sections) + "\n"


def paragraph(text: str, kind: str = "") -> Markup:
    """A paragraph; ``kind`` is one of the page's classes (``note``, ``warn``)."""
    return Markup('<p class="{}">{}</p>').format(kind, text) if kind else Markup("<p>{}</p>").format(text)


def bullets(lines: Iterable[str]) -> Markup:
    """A list."""
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(line) for line in lines))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table whose first column holds names; a figure's interval is set beside its value, in grey."""
    heads = Markup("").join(Markup('<th scope="col">{}</th>').format(cell) for cell in head)
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(row[0], Markup("").join(_cell(cell) for cell in row[1:]))
        for row in rows
    )
    return Markup(
        '<div class="table"><p class="caption">{0}</p><table aria-label="{0}">'
        "<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(caption, heads, lines)


def columns(blocks: Iterable[Markup]) -> Markup:
    """Blocks side by side, as many as there is room for."""
    cells = Markup("").join(Markup("<div>{}</div>").format(block) for block in blocks)
    return Markup('<div class="columns">{}</div>').format(cells)


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Names and their values; long values are broken anywhere."""
    lines = Markup("").join(Markup('<tr><th scope="row">{}</th><td>{}</td></tr>').format(*row) for row in rows)
    return Markup('<div class="table facts"><table><tbody>{}</tbody></table></div>').format(lines)


def plot(drawing: Markup, caption: str) -> Markup:
    """A plot with what it shows beneath; the caption is its text for those who cannot see it."""
    return Markup('<figure class="plot" role="group" aria-label="{0}">{1}<figcaption>{0}</figcaption></figure>').format(
        caption, drawing
    )


def picture(uri: str, alt: str, lines: Iterable[str], kind: str = "film") -> Markup:
    """One picture with lines under it, the first of them bold."""
    first, *rest = lines
    text = Markup("<b>{}</b>").format(first) + Markup("").join(Markup("<br>{}").format(line) for line in rest)
    return Markup('<figure class="{}"><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>').format(kind, uri, alt, text)


def gallery(title: str, pictures: Iterable[Markup]) -> Markup:
    """Pictures side by side under a small heading."""
    return Markup('<h3>{}</h3><div class="gallery">{}</div>').format(title, Markup("").join(pictures))


def source_text(title: str, text: str) -> Markup:
    """A file as it is."""
    return Markup("<h3>{}</h3><pre>{}</pre>").format(title, text)


def figure(values: dict[str, Any]) -> str:
    """A figure as JSON keeps it, for people."""
    return str(Figure(**values))


def percent(share: float) -> str:
    """A share in whole percent."""
    return f"{share * 100:.0f} %"


def _cell(text: str) -> Markup:
    value, bracket, interval = text.partition(" (")
    return (
        Markup('<td>{} <span class="interval">({}</span></td>').format(value, interval)
        if bracket
        else Markup("<td>{}</td>").format(text)
    )


@cache
def _templates() -> Environment:
    loader = PackageLoader("training.report", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
