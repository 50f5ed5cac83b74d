"""What lies in and beside a bundle for people: its card, its figures, and the promotion gate's record.

The gate writes its record beside the bundle (``DIR.promotion.json``); installing a bundle takes it along. It is a file like
any other: whoever may write to the models directory may write a record, too.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from triage.domain.bundle import Card, Entry, Promotion
from triage.domain.errors import BundleError

DOCUMENTS = ("metrics", "calibration", "operating_point", "training_data")
MAX_RECORD_BYTES = 1 << 20


def record_path(bundle: Path) -> Path:
    """Where the gate's record of the bundle in that directory lies."""
    return bundle.absolute().with_name(f"{bundle.absolute().name}.promotion.json")


def promotion_of(bundle: Path, bundle_id: str) -> tuple[Promotion | None, str | None]:
    """The record, or why there is none that can be used; neither: there is none."""
    path = record_path(bundle)
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            return None, "the record is too large"
        return Promotion.of(json.loads(path.read_bytes()), bundle_id), None
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, RecursionError) as error:
        return None, str(error) if type(error) is ValueError else "the record cannot be read"


def take_record_along(source: Path, target: Path, bundle_id: str) -> None:
    """Copy the gate's record of a bundle beside its installed copy, whole or not at all; one that speaks of another stays."""
    if promotion_of(source, bundle_id)[0] is None or record_path(source) == record_path(target):
        return
    part = record_path(target).with_suffix(".part")
    with part.open("wb") as file:
        file.write(record_path(source).read_bytes())
        file.flush()
        os.fsync(file.fileno())
    part.rename(record_path(target))


def card_of(bundle: Path, entry: Entry) -> Card:
    """The bundle with what it says of itself.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        return Card(
            entry=entry,
            text=(bundle / "MODEL_CARD.md").read_text(encoding="utf-8", errors="replace"),
            documents={name: _json(bundle / f"{name}.json") for name in DOCUMENTS},
            golden=len(_json(bundle / "golden" / "expected.json")),
        )
    except (OSError, ValueError) as error:
        raise BundleError(f"{bundle.name[:12]}: cannot be read ({type(error).__name__})") from None


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes(), parse_constant=lambda _: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None  # what is no number cannot be written as JSON again
