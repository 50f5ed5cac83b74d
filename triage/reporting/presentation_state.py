"""A result as a line of text over the scored films: Grayscale Softcopy Presentation State (PS3.3 A.33.1).

A viewer that applies it shows the film by this object alone, so what the film says of its grey values is repeated in it
(PS3.4 N.2). A film whose values cannot be repeated in a few numbers has none: better no line than another picture.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from triage.domain.delivery import DicomObject
from triage.domain.ours import MODEL_NAME, NOTICE, PRESENTATION_STATE
from triage.domain.result import Result, ResultImage
from triage.imaging.elements import code, integer, number, numbers
from triage.reporting.codes import LEVELS
from triage.reporting.header import patient_and_study
from triage.reporting.part10 import Device, Made, mark, written

STATE = Made(
    purpose="presentation state",
    place=3,
    sop_class_uid=PRESENTATION_STATE,
    modality="PR",
    description="Chest X-ray triage note (not for diagnostic use)",
)
LAYER = "TRIAGE"
SHAPES = {"MONOCHROME2": "IDENTITY", "MONOCHROME1": "INVERSE"}
"""Presentation LUT Shape by photometric interpretation (PS3.3 C.11.6.1)."""
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

Film = tuple[ResultImage, Dataset]


def presentation_state(
    result: Result, films: Sequence[Dataset], device: Device, predecessors: Sequence[Result] = ()
) -> DicomObject | None:
    """The state over every film that was scored and can have one; ``None``: none can. The same bytes each time.

    Scored by this result or by one that it replaces: a line that does not count any more must not be the last one over a film.
    """
    counts = {one.sop_instance_uid for said in (*predecessors, result) for one in said.images if one.probability is not None}
    shown = zip(result.images, films, strict=False)
    scored = [(image, film) for image, film in shown if image.sop_instance_uid in counts and _simple(film)]
    # one shape counts for all that a state refers to
    alike = [pair for pair in scored if _shape(pair[1]) == _shape(scored[0][1])]
    if not alike:
        return None
    dataset = patient_and_study(result, films)
    mark(dataset, result, STATE, device)
    dataset.Laterality = None
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = dataset.ContentDate, dataset.ContentTime
    del dataset.ContentDate, dataset.ContentTime
    dataset.ContentLabel, dataset.ContentDescription, dataset.ContentCreatorName = LAYER, MODEL_NAME, None
    dataset.ReferencedSeriesSequence = _series(alike)
    dataset.DisplayedAreaSelectionSequence = [_area(*pair) for pair in alike]
    dataset.GraphicAnnotationSequence = [_annotation(result)]
    dataset.GraphicLayerSequence = [_item(GraphicLayer=LAYER, GraphicLayerOrder=1)]
    dataset.SoftcopyVOILUTSequence = [_window(*pair) for pair in alike]
    _rescale(dataset, alike[0][1])
    dataset.PresentationLUTShape = _shape(alike[0][1])
    return written(dataset)


def _simple(film: Dataset) -> bool:
    """Whether its grey values are told by a window alone, and it is one frame of square pixels whose size is known."""
    known = all(integer(film, keyword) for keyword in ("Rows", "Columns")) and _shape(film) is not None
    width, center = number(film, "WindowWidth"), number(film, "WindowCenter")
    tables = any(keyword in film for keyword in ("ModalityLUTSequence", "VOILUTSequence"))
    function = code(film, "VOILUTFunction") or "LINEAR"
    windowed = center is not None and width is not None and width >= 1 and function in FUNCTIONS
    plain = (integer(film, "NumberOfFrames") or 1) == 1 and numbers(film, "PixelAspectRatio") in ([], [1.0, 1.0])
    return known and windowed and not tables and plain and _rescaled(film) in (None, (0.0, 1.0))


def _rescaled(film: Dataset) -> tuple[float, float] | None:
    """(intercept, slope), where the film states them."""
    intercept, slope = number(film, "RescaleIntercept"), number(film, "RescaleSlope")
    return None if intercept is None or slope is None else (intercept, slope)


def _shape(film: Dataset) -> str | None:
    return SHAPES.get(code(film, "PhotometricInterpretation") or "")


def _reference(image: ResultImage) -> Dataset:
    return _item(ReferencedSOPClassUID=image.sop_class_uid, ReferencedSOPInstanceUID=image.sop_instance_uid)


def _series(films: Sequence[Film]) -> list[Dataset]:
    uids = dict.fromkeys(image.series_instance_uid for image, _ in films)
    return [
        _item(
            SeriesInstanceUID=uid,
            ReferencedImageSequence=[_reference(image) for image, _ in films if image.series_instance_uid == uid],
        )
        for uid in uids
    ]


def _area(image: ResultImage, film: Dataset) -> Dataset:
    return _item(
        ReferencedImageSequence=[_reference(image)],
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[integer(film, "Columns"), integer(film, "Rows")],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )


def _window(image: ResultImage, film: Dataset) -> Dataset:
    return _item(
        ReferencedImageSequence=[_reference(image)],
        WindowCenter=_decimal(film, "WindowCenter"),
        WindowWidth=_decimal(film, "WindowWidth"),
        VOILUTFunction=code(film, "VOILUTFunction") or "LINEAR",
    )


def _rescale(dataset: Dataset, film: Dataset) -> None:
    if _rescaled(film) is not None:
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"


def _annotation(result: Result) -> Dataset:
    line = _item(
        BoundingBoxAnnotationUnits="DISPLAY",
        UnformattedTextValue=f"{LEVELS[result.level].meaning}. {NOTICE}",
        BoundingBoxTopLeftHandCorner=[0.02, 0.02],
        BoundingBoxBottomRightHandCorner=[0.98, 0.08],
        BoundingBoxTextHorizontalJustification="LEFT",
    )
    return _item(GraphicLayer=LAYER, TextObjectSequence=[line])


def _decimal(film: Dataset, keyword: str) -> str:
    """A DS of at most 16 characters (PS3.5 6.2)."""
    return f"{number(film, keyword):.9g}"


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
