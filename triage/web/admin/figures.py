"""The figures of a bundle as tables: radiologists' labels first, the locked test before the validation split."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from triage.domain.bundle import Card, figures
from triage.web.text import plain

COLUMNS = (
    ("test", "radiologist", "Test, radiologists' labels"),
    ("test", "text", "Test, text labels"),
    ("val", "radiologist", "Validation, radiologists' labels"),
    ("val", "text", "Validation, text labels"),
)
"""Split, whose labels, heading."""
MEASURES = (
    ("auc", "Area under the ROC curve, all films and subgroups"),
    ("operating_point", "At the operating point"),
    ("findings", "Area under the ROC curve by finding, against films without any"),
    ("calibration", "Calibration: expected error and Brier score"),
)
"""Key in ``metrics.json``, title."""
ROW_WORDS = {"ece_interval": "expected calibration error", "brier_interval": "Brier score", "flagged": "share flagged"}
NOT_FIGURES = frozenset({"ece", "brier", "n"})
"""The same numbers without an interval: not shown."""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, headings, and rows: a name and a text for each column."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, list[str]]]


def tables_of(card: Card) -> list[Table]:
    """Every measure that the bundle has figures for."""
    return list(_tables(card.documents.get("metrics")))


def facts_of(card: Card) -> list[tuple[str, str]]:
    """Operating point, calibration and training data in a few lines: term and value."""
    point, calibration, training, metrics = (
        _mapping(card.documents.get(name)) for name in ("operating_point", "calibration", "training_data", "metrics")
    )
    splits = _mapping(training.get("splits"))
    source = _mapping(training.get("source"))
    fitted = _mapping(calibration.get("fitted_on"))
    fit = f"fitted on {fitted.get('split', '–')} (n={fitted.get('n', '–')})"
    curve = f"slope {_number(calibration.get('slope'))}, intercept {_number(calibration.get('intercept'))}"
    lines = [
        ("Operating point", f"threshold {_number(point.get('threshold'))}, chosen for {point.get('aim', '–')}"),
        ("Labels there", point.get("labels")),
        ("Calibration", f"{calibration.get('method', '–')}, {curve}, {fit}"),
        ("Training data", source.get("name")),
        ("Licence of the data", source.get("licence")),
        *((f"Films in {name}", _split(_mapping(split))) for name, split in splits.items()),
        ("Looks at the test split", metrics.get("test_looks")),
    ]
    return [(plain(term), plain(str(value), 400)) for term, value in lines if value is not None]


def _tables(metrics: Any) -> Iterator[Table]:
    splits = _mapping(metrics)
    for key, title in MEASURES:
        columns = [_mapping(_mapping(_mapping(splits.get(split)).get(key)).get(who)) for split, who, _ in COLUMNS]
        rows = [
            (plain(ROW_WORDS.get(name, name)), ["" if one is None else str(one) for one in line])
            for name, line in figures(columns)
            if name not in NOT_FIGURES
        ]
        if rows:
            yield Table(title, tuple(head for _, _, head in COLUMNS), rows)


def _split(split: dict[str, Any]) -> str:
    found = [("films", "films"), ("patients", "patients"), ("radiologist", "with a radiologist's label")]
    return ", ".join(f"{split[key]:,} {word}" for key, word in found if isinstance(split.get(key), int))


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "–"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
