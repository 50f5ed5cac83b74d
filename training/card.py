"""The model card: what the network is, on what it was trained, what it reached. Pure: text out; the report uses it too."""

from collections.abc import Iterator, Sequence
from typing import Any

from training.calibrate import LABELS_USED, Aim
from training.manifest import SPLITS, DataSet
from training.resample import DELONG
from training.run import Run
from training.statistics import Figure

SOURCES = {"radiologist": "radiologists' labels", "text": "text-mined labels"}
STATEMENT = (
    "A reading-order aid for frontal chest films of patients aged 16 and over, in parallel with the standard of care. "
    "Not a cleared medical device, no diagnosis, no statement that a film needs no reading."
)
GATE = (
    "Before a film is scored, a small network looks at a thumbnail of it: what is no frontal chest film, or is turned, "
    "inverted or cropped, is not assessed. It learned from train films, pictures made of them, and drawn ones; it was shown "
    "no photograph, no film of another body part and no true lateral chest film."
)
NO_GATE = "This bundle brings no image gate: turned, inverted or foreign pictures with a chest film's tags are scored."
LIMITS = (
    "Few test films carry a radiologist's label: the intervals are wide, and are part of the result.",
    "A film that is not flagged has not been cleared: the network misses abnormal films, and they then wait longer.",
    "Lateral films and children are kept away by tags; no true lateral film was at hand to try the image gate on.",
    "The probability holds for the share of abnormal films of the validation split; elsewhere it needs checking.",
)


def limits(data: DataSet) -> tuple[str, ...]:
    """What to keep in mind: of these data, and of any network of this kind."""
    origin = (
        f"Trained on {len(data.split('train')):,} films of one source: elsewhere other devices, patients and readers await it."
    )
    return (origin, *data.source.get("limits", ()), *LIMITS)


def credits(data: DataSet, pedigree: dict[str, Any]) -> list[str]:
    """Who made the data, labels and films of pretraining included; the licences ask for it."""
    source = data.source
    lines = [_origin(source)]
    lines += [f"Radiologists' labels: {label}." for label in source.get("radiologist_labels", ())]
    lines += [f"Peer probabilities: {source['peer']}."] if "peer" in source else []
    if pretrained := pedigree.get("pretrained_on"):
        lines.append(f"Pretrained on {_origin(pretrained)}")
    return lines


def _origin(source: dict[str, Any]) -> str:
    """A source in one sentence, of what is known of it."""
    facts = [str(source[name]) for name in ("provider", "download", "paper", "credit") if source.get(name)]
    licence = f" Licence: {source['licence']}." if source.get("licence") else ""
    return f"{source['name']}{': ' if facts else ''}{'; '.join(facts)}.{licence}"


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


def gate_rows(found: Sequence[dict[str, Any]]) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """((kind of picture, what should become of it, what it was called), the share of which that became) for each kind."""
    for row in found:
        yield (row["kind"], row["expected"], ", ".join(f"{word} {n}" for word, n in row["words"].items())), row["right"]


def _gate(metrics: dict[str, Any]) -> Iterator[str]:
    found = metrics.get("image_gate")
    if not found:
        yield NO_GATE
        return
    yield from (
        GATE,
        "",
        "| picture of a test film, or drawn | should be | share that is | what it was called |",
        "|---|---|---|---|",
    )
    for (kind, expected, words), right in gate_rows(found):
        yield f"| {kind} | {expected} | {Figure(**right)} | {words} |"


def markdown(run: Run, data: DataSet, metrics: dict[str, Any], version: str) -> str:
    """``MODEL_CARD.md``."""
    recipe = run.recipe
    pedigree = run.read_json("run.json", "train")
    lines = [f"# {recipe.name} {version}", "", STATEMENT, "", recipe.purpose, "", "## Network", ""]
    lines += [
        f"- Builder `{run.architecture['builder']}`, {metrics['parameters']:,} parameters.",
        f"- Arguments: `{run.architecture['arguments']}`.",
        f"- Input {recipe.input.height} × {recipe.input.width} pixels, preprocessing {recipe.input.algorithm}.",
        "- One output: the calibrated probability that a film is *abnormal*. Trained in Keras, served by LiteRT.",
        "",
        "## Data and credit",
        "",
        *(f"- {credit}" for credit in credits(data, pedigree)),
        f"- Films: {', '.join(f'{len(data.split(split)):,} {split}' for split in SPLITS[:3])}; no patient is in two of these.",
        "- Trained on train; epoch, calibration and operating point chosen on val; measured on test.",
        *(f"- {line}" for line in (softening() if recipe.labels.soften else ())),
        f"- {metrics['label_ceiling']}",
        "",
        "## Figures on the test split",
        "",
        f"Positive means abnormal. In brackets the 95 % interval (AUC: {metrics['test'].get('auc_interval', DELONG)};",
        "shares: Wilson) and the number of films.",
        f"The test split had been looked at {metrics.get('test_looks', '?')} time(s) when these were written.",
        "",
        "| group | AUC, radiologists' labels | AUC, text-mined labels |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in figure_rows(metrics)),
        "",
        f"Operating point: threshold {metrics['threshold']:.4f}, chosen for: {metrics.get('aim') or Aim()}",
        f"(labels there: {LABELS_USED}).",
        "",
        "| labels | sensitivity | specificity | share flagged |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in operating_rows(metrics)),
        "",
        "## Image gate",
        "",
        *_gate(metrics),
        "",
        "Curves, errors, maps and the expected effect on waiting are in `report.html`.",
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in limits(data)),
    ]
    return "\n".join(lines) + "\n"


def softening() -> Iterator[str]:
    """How films without a radiologist's label were labelled for training."""
    yield (
        "Training films without a radiologist's label count less and carry the probability with which radiologists call "
        "films of that text label, view and peer score abnormal, learned on the labelled training films."
    )
