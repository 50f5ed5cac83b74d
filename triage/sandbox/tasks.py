"""What a child can be asked. Each task opens one film and tells what came of it."""

from collections.abc import Mapping
from datetime import date
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import preview
from triage.imaging.eligibility import Intended
from triage.imaging.header import read_dataset
from triage.imaging.metadata import bulk_value, header_json
from triage.imaging.prepare import prepare
from triage.imaging.spec import PreprocessingSpec
from triage.imaging.stored_frame import explicit_frame, frame_count, stored_frame
from triage.sandbox.server import Task, Tell


def _prepare(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """The tensor of a film: see :func:`triage.imaging.prepare.prepare`."""
    received_on = question["received_on"]
    intended = Intended(question["min_age_years"], date.fromisoformat(received_on) if received_on else None)

    def tags(reason: Reason | None) -> None:
        tell({"by_tags": reason.code if reason else None}, [])

    prepared = prepare(film, PreprocessingSpec.from_dict(question["spec"]), intended, tags)
    if prepared.tensor is None:
        raise PixelError(prepared.by_pixels or Reason.CANNOT_DECODE)
    tell({}, [_bytes(prepared.tensor, "<f4")])


def _preview(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """A preview and its picture."""
    made = preview.preview(read_dataset(film))
    _developed(made, tell, preview.png(made))


def _frame(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """A film whole."""
    _developed(preview.frame(read_dataset(film)), tell, b"")


def _developed(made: preview.Preview, tell: Tell, picture: bytes) -> None:
    names = ("rows", "columns", "slope", "intercept", "low", "high", "inverted")
    height, width = made.values.shape
    facts = {name: getattr(made, name) for name in names} | {"height": height, "width": width}
    tell({"facts": facts}, [_bytes(made.values, "<u2"), picture])


def _bytes(array: NDArray[Any], kind: str) -> memoryview:
    """The values row by row, without a copy where they lie so already."""
    return np.ascontiguousarray(array, kind).reshape(-1).view(np.uint8).data


def _header(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """The header as JSON."""
    tell({}, [header_json(film)])


def _bulk(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """One long value of the header; no part: there is none."""
    value = bulk_value(film, question["tag"])
    tell({}, [] if value is None else [value])


def _stored(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """One frame, as it is stored or decoded; no part: it has not so many."""
    dataset, number = read_dataset(film), question["number"]
    if number > frame_count(dataset):
        tell({}, [])
    else:
        tell({}, [explicit_frame(dataset, number) if question["decode"] else stored_frame(dataset, number)])


def _protections(question: dict[str, Any], film: BinaryIO, tell: Tell) -> None:
    """Which protections are in force; the film is not read."""
    tell({"protections": question["protections"]}, [])


TASKS: Mapping[str, Task] = {
    "prepare": _prepare,
    "preview": _preview,
    "frame": _frame,
    "header": _header,
    "bulk": _bulk,
    "stored": _stored,
    "protections": _protections,
}
