"""Values of a data set, read without trusting them: whatever a header holds, the answer is a value or ``None``."""

import logging
import math
import re
import unicodedata
import warnings
from hashlib import sha256

from pydicom import config
from pydicom.dataset import Dataset

TEXT_LIMIT = 256
"""Characters kept of a text value; longer than any VR that a list shows (PS3.5 6.2: LO 64, PN 3 × 64)."""

_PYDICOM_WARNINGS = ("ignore", None, Warning, re.compile(r"pydicom\."), 0)


def keep_quiet() -> None:
    """Let pydicom read what it can without complaint, in this process, from now on.

    Its warnings and log lines quote the offending value, which may be a patient's name. Nothing is restored afterwards,
    as ``warnings.catch_warnings`` would: restoring in one thread undoes what another relies on.
    """
    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    if _PYDICOM_WARNINGS not in warnings.filters:
        warnings.filterwarnings("ignore", module=_PYDICOM_WARNINGS[3].pattern)


def values(dataset: Dataset, keyword: str) -> list[object]:
    """The values of an element: empty when it is absent, empty, or cannot be read."""
    try:
        value = dataset.get(keyword)
        if value is None or isinstance(value, str | bytes):
            return [] if not value else [value]
        # text, PN and numbers are single values here; multi-values and sequences iterate over theirs
        return list(value) if hasattr(value, "append") else [value]
    except Exception:  # pydicom raises nearly any type on hostile bytes; the answer to all of them is the same
        return []


def text(dataset: Dataset, keyword: str) -> str | None:
    """The first value as printable text of at most ``TEXT_LIMIT`` characters, or ``None``."""
    for value in values(dataset, keyword):
        return clean(value)
    return None


def identifier(dataset: Dataset, keyword: str) -> str | None:
    """As :func:`text`, for a value that tells people apart: what cleaning would make alike stays different.

    Leading and trailing spaces and a NUL of padding mean nothing (PS3.5 6.2). Where there is more than the text shows (several
    values, what cannot be seen, what is too long), a digest of the whole stands behind it.
    """
    found = values(dataset, keyword)
    try:
        whole = "\\".join(map(str, found)).strip("\0 ")
    except Exception:  # as in clean
        return None
    shown = clean(found[0]) if found else None
    if shown == (whole or None):
        return shown
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{(shown or '')[: TEXT_LIMIT // 2]} (#{digest})".strip()


def code(dataset: Dataset, keyword: str) -> str | None:
    """As :func:`text`, in upper case: for CS values, which PS3.5 6.2 has in upper case and devices do not."""
    value = text(dataset, keyword)
    return value.upper() if value else None


def clean(value: object) -> str | None:
    """``value`` as text without control and format characters, trimmed, cut; ``None`` when nothing is left."""
    try:
        letters = str(value)[: 4 * TEXT_LIMIT]
    except Exception:  # a lazily decoded PersonName
        return None
    # categories C*: control, format (which turns text around), surrogates that no encoder takes
    printable = "".join(letter for letter in letters if not unicodedata.category(letter).startswith("C"))
    return printable.strip()[:TEXT_LIMIT].strip() or None


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first value as a finite number, or ``None``."""
    for value in values(dataset, keyword):
        try:
            result = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return None
        return result if math.isfinite(result) else None
    return None


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Every value as a finite number; none when one of them is not."""
    try:
        given = [float(value) for value in values(dataset, keyword)]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return []
    return given if all(map(math.isfinite, given)) else []


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The first value as a whole number, or ``None``."""
    result = number(dataset, keyword)
    return int(result) if result is not None and result.is_integer() else None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none when it is absent or cannot be read."""
    return [item for item in values(dataset, keyword) if isinstance(item, Dataset)]
