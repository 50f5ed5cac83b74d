"""The page and the presentation state: the same bytes each time, nobody named, no film shown otherwise than it is."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from tests.unit.reporting.results import DEVICE, KINDS, excused, header, image, scored
from tests.unit.reporting.test_structured_report import DENIALS
from triage.domain.reason import Reason
from triage.reporting.presentation_state import presentation_state
from triage.reporting.secondary_capture import COLUMNS, LETTERS, MARGIN, ROWS, _lines, page

WINDOWED = {"WindowCenter": "2048", "WindowWidth": "4096"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_says_what_it_is_and_is_the_same_again(kind: str) -> None:
    once, again = (page(KINDS[kind], [], [header(patient_name="Doe^Jane")], DEVICE) for _ in range(2))
    assert once == again
    read = dcmread(BytesIO(once.content))
    assert (read.BurnedInAnnotation, read.Rows, read.Columns) == ("YES", ROWS, COLUMNS)
    drawn = read.pixel_array
    rows, columns = np.nonzero(drawn)
    assert rows.max() < ROWS - MARGIN // 2
    assert columns.max() < COLUMNS - MARGIN // 2
    told = " ".join(text for _, text in _lines(KINDS[kind], None))
    assert "Not for diagnostic use." in told
    assert not DENIALS.search(told)
    assert "Doe" not in told


def test_many_images_end_where_the_page_does() -> None:
    many = scored(others=tuple(image(number, None, Reason.LATERAL_VIEW) for number in range(2, 60)))
    lines = _lines(many, 3)
    assert lines[-1][1] == "…"
    assert all(len(text) <= LETTERS for _, text in lines)
    drawn = dcmread(BytesIO(page(many, [], [header()], DEVICE).content)).pixel_array
    assert np.nonzero(drawn)[0].max() < ROWS - MARGIN // 2


def test_a_state_repeats_how_the_film_is_shown() -> None:
    state = presentation_state(scored(), [header(**WINDOWED)], DEVICE)
    assert state == presentation_state(scored(), [header(**WINDOWED)], DEVICE)
    assert state is not None
    read = dcmread(BytesIO(state.content))
    window = read.SoftcopyVOILUTSequence[0]
    assert (window.WindowCenter, window.WindowWidth, read.PresentationLUTShape) == (2048, 4096, "IDENTITY")
    assert read.DisplayedAreaSelectionSequence[0].DisplayedAreaBottomRightHandCorner == [64, 64]
    inverse = presentation_state(scored(), [header(**WINDOWED, PhotometricInterpretation="MONOCHROME1")], DEVICE)
    assert inverse is not None
    assert dcmread(BytesIO(inverse.content)).PresentationLUTShape == "INVERSE"


def test_a_line_over_a_film_that_was_scored_is_replaced_when_it_is_taken_back() -> None:
    earlier, film = scored(0.03), [header(**WINDOWED)]
    assert presentation_state(excused(), film, DEVICE) is None, "there is no line that would be wrong"
    state = presentation_state(replace(excused(), number=2), film, DEVICE, [earlier])
    assert state is not None
    read = dcmread(BytesIO(state.content))
    (line,) = read.GraphicAnnotationSequence[0].TextObjectSequence
    assert line.UnformattedTextValue.startswith("Not assessed by this model. ")
    (series,) = read.ReferencedSeriesSequence
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedImageSequence] == [earlier.images[0].sop_instance_uid]


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {**WINDOWED, "RescaleSlope": "2", "RescaleIntercept": "0"},
        {**WINDOWED, "PixelAspectRatio": [2, 1]},
        {**WINDOWED, "NumberOfFrames": 2},
        {**WINDOWED, "PhotometricInterpretation": "RGB"},
        {**WINDOWED, "WindowWidth": "0"},
        {**WINDOWED, "VOILUTFunction": "OTHER"},
    ],
    ids=str,
)
def test_a_film_that_cannot_be_repeated_exactly_has_none(shown: dict[str, Any]) -> None:
    assert presentation_state(scored(), [header(**shown)], DEVICE) is None
