"""The model card and a small report: what the network is, on what it was trained, what it reached. Pure: text out."""

import html as markup
from collections.abc import Iterator
from typing import Any

from training.calibrate import LABELS_USED, SENSITIVITY
from training.manifest import SPLITS, DataSet
from training.run import Run
from training.statistics import Figure

SOURCES = {"radiologist": "radiologists' labels", "text": "text-mined labels"}
STATEMENT = (
    "A reading-order aid for frontal chest films of patients aged 16 and over, in parallel with the standard of care. "
    "Not a cleared medical device, no diagnosis, no statement that a film needs no reading."
)
LIMITS = (
    "Few test films carry a radiologist's label: the intervals are wide and are part of the result.",
    "Lateral films, children and anything but an upright frontal chest film are kept away by tags only.",
    "The probability holds for the share of abnormal films of the validation split; elsewhere it needs checking.",
)


def limits(data: DataSet) -> tuple[str, ...]:
    """What to keep in mind: of these data, and of any network of this kind."""
    return (f"Trained on {len(data.split('train'))} films of one source.", *data.source.get("limits", ()), *LIMITS)


def figure_rows(metrics: dict[str, Any], split: str = "test") -> Iterator[tuple[str, str, str]]:
    """(group, AUC against radiologists, AUC against text labels) for each group."""
    found = metrics[split]["auc"]
    for group in found["radiologist"]:
        yield group, str(Figure(**found["radiologist"][group])), str(Figure(**found["text"][group]))


def operating_rows(metrics: dict[str, Any], split: str = "test") -> Iterator[tuple[str, str, str, str]]:
    """(label source, sensitivity, specificity, flagged) at the operating point."""
    for source, values in metrics[split]["operating_point"].items():
        sensitivity, specificity, flagged = (str(Figure(**values[name])) for name in ("sensitivity", "specificity", "flagged"))
        yield SOURCES[source], sensitivity, specificity, flagged


def markdown(run: Run, data: DataSet, metrics: dict[str, Any], version: str) -> str:
    """``MODEL_CARD.md``."""
    recipe, source = run.recipe, data.source
    lines = [f"# {recipe.name} {version}", "", STATEMENT, "", recipe.purpose, "", "## Network", ""]
    lines += [
        f"- Builder `{run.architecture['builder']}`, {metrics['parameters']:,} parameters.",
        f"- Arguments: `{run.architecture['arguments']}`.",
        f"- Input {recipe.input.height} × {recipe.input.width}, preprocessing {recipe.input.algorithm}.",
        "- One output: the calibrated probability of *abnormal*. Served by LiteRT, trained in Keras.",
        "",
        "## Data and credit",
        "",
        f"{source['name']}: {source['provider']}, {source['download']}; {source['paper']}. Licence: {source['licence']}.",
        *(f"- Radiologists' labels: {label}." for label in source.get("radiologist_labels", ())),
        *(_softening(source) if recipe.labels.soften else ()),
        f"- Films: {', '.join(f'{len(data.split(split))} {split}' for split in SPLITS[:3])}; no patient is in two of these.",
        "- Trained on train; choices, calibration and operating point on val; measured on test.",
        f"- {metrics['label_ceiling']}",
        "",
        "## Figures on the test split (95 % intervals: AUC by DeLong, shares by Wilson)",
        "",
        f"The test split had been looked at {metrics.get('test_looks', '?')} times when these were written.",
        "",
        "| group | AUC, radiologists | AUC, text labels |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in figure_rows(metrics)),
        "",
        f"Operating point: threshold {metrics['threshold']:.4f}, the highest with sensitivity ≥ {SENSITIVITY:.2f} on val",
        f"(labels there: {LABELS_USED}).",
        "",
        "| labels | sensitivity | specificity | flagged |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in operating_rows(metrics)),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in limits(data)),
    ]
    return "\n".join(lines) + "\n"


def _softening(source: dict[str, Any]) -> Iterator[str]:
    """How films without a radiologist's label were labelled for training."""
    yield (
        "- Training films without a radiologist's label count less and carry the probability with which radiologists call "
        "films of that text label, view and peer score abnormal, learned on the labelled training films."
    )
    if "peer" in source:
        yield f"- Peer: {source['peer']}."


def html(run: Run, data: DataSet, metrics: dict[str, Any], version: str) -> str:
    """``report.html``: self-contained, the figures of the card as a page."""
    areas = _table(("group", "AUC, radiologists", "AUC, text labels"), figure_rows(metrics))
    points = _table(("labels", "sensitivity", "specificity", "flagged"), operating_rows(metrics))
    title = markup.escape(f"{run.recipe.name} {version}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .75rem;border-bottom:1px solid #ccc;text-align:left}"
        "</style>\n"
        f"<h1>{title}</h1>\n<p>{markup.escape(STATEMENT)}</p>\n"
        f"<h2>Test split: area under the ROC curve</h2>\n{areas}\n"
        f"<h2>Test split at the operating point, threshold {metrics['threshold']:.4f}</h2>\n{points}\n"
        f"<p>{markup.escape(metrics['label_ceiling'])}</p>\n"
        f"<ul>{''.join(f'<li>{markup.escape(limit)}</li>' for limit in limits(data))}</ul>\n</html>\n"
    )


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{markup.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"
