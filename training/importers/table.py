"""A table with a head, from a CSV file that somebody else made."""

import csv
from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError


def rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, trimmed; columns without a name, as NIH's table has one, are dropped.

    Raises:
        TrainingError: missing, unreadable, empty, or without one of ``columns``.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = [{key: (value or "").strip() for key, value in row.items() if key} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path}: no table that can be read ({type(error).__name__}); give a CSV file in UTF-8") from None
    missing = [name for name in columns if name not in (found[0] if found else ())]
    if missing:
        raise TrainingError(f"{path}: no column {missing[0]!r} or no row; it needs {', '.join(columns)}")
    return found
