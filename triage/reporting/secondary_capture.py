"""A result as one page to look at, for viewers that show no reports: Secondary Capture (PS3.3 A.8.1), text burnt in."""

from collections.abc import Sequence
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from triage.domain.delivery import DicomObject
from triage.domain.ours import MODEL_NAME, NOTICE, SECONDARY_CAPTURE
from triage.domain.result import Result
from triage.reporting.codes import LEVELS
from triage.reporting.header import patient_and_study
from triage.reporting.part10 import Device, Made, mark, written
from triage.reporting.words import sentences

ROWS, COLUMNS = 768, 1024
MARGIN, LETTERS = 48, 72
"""Pixels around the text; letters in a line of the small print."""
LARGE, SMALL = 34, 24
"""Sizes of letters, in pixels."""
PAGE = Made(
    purpose="page",
    place=2,
    sop_class_uid=SECONDARY_CAPTURE,
    modality="OT",
    description="Chest X-ray triage page (not for diagnostic use)",
)


def page(result: Result, predecessors: Sequence[Result], films: Sequence[Dataset], device: Device) -> DicomObject:
    """The page of a result; as :func:`triage.reporting.structured_report.structured_report`, the same bytes each time.

    Nobody is named in the picture: patient and study stand in the header only.
    """
    dataset = patient_and_study(result, films)
    mark(dataset, result, PAGE, device)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = dataset.Laterality = None
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.add_new("PixelData", "OB", _drawn(result, predecessors[-1].number if predecessors else None))
    return written(dataset)


def _drawn(result: Result, replaced: int | None) -> bytes:
    """One byte a pixel, row by row: white on black, as viewers show films."""
    picture = Image.new("L", (COLUMNS, ROWS), 0)
    draw = ImageDraw.Draw(picture)
    at = MARGIN
    for size, text in _lines(result, replaced):
        draw.text((MARGIN, at), text, fill=255, font=ImageFont.load_default(size))
        at += size * 3 // 2
    return picture.tobytes()


def _lines(result: Result, replaced: int | None) -> list[tuple[int, str]]:
    """(size, text) from top to bottom; a long list of images ends where the page does."""
    head = [(LARGE, MODEL_NAME), (SMALL, NOTICE), (SMALL, "")]
    level = [(LARGE, line) for line in wrap(LEVELS[result.level].meaning, LETTERS * SMALL // LARGE)]
    told = [(SMALL, line) for said in sentences(result, replaced) for line in (*wrap(said, LETTERS), "")]
    most = (ROWS - 2 * MARGIN) // (SMALL * 3 // 2) - len(head) - 2 * len(level) - 1
    return [*head, *level, (SMALL, ""), *(told if len(told) <= most else [*told[: most - 1], (SMALL, "…")])]
