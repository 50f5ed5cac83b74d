"""A film without its patient: a new data set that holds what is listed here and nothing else.

What is listed is what showing the picture needs, and view, body part, sex and age. Names, numbers, dates, descriptions
and every other free text stay behind because nobody copies them (an own list, narrower than PS3.15 Annex E). Text that is
burnt into the picture stays in it.
"""

import re

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid

from triage.imaging.elements import code, items, text, values
from triage.imaging.eligibility import view_of

PICTURE = frozenset(
    {
        # PS3.3 C.7.6.3 Image Pixel, C.7.5.1.1.2 padding, C.7.6.5 frames, C.7.6.11 shutters
        *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
        *(
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "PixelAspectRatio",
            "PixelSpacing",
            "ImagerPixelSpacing",
        ),
        *("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "PixelPaddingRangeLimit"),
        *("ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge", "ShutterUpperHorizontalEdge"),
        *("ShutterLowerHorizontalEdge", "CenterOfCircularShutter", "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter"),
        *("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
        # C.11.1, C.11.2, C.11.6, C.8.11.3: what a stored value means
        *("RescaleIntercept", "RescaleSlope", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"),
        *("PixelIntensityRelationship", "PixelIntensityRelationshipSign", "LUTDescriptor", "LUTData"),
        *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "BurnedInAnnotation"),
    }
)
LUTS = ("ModalityLUTSequence", "VOILUTSequence")
"""Sequences whose items are copied, by the same list."""
CODES = ("Modality", "PresentationIntentType", "BodyPartExamined", "ViewPosition", "PatientSex")
"""Kept where they are short codes, as PS3.5 6.2 has CS; a device that writes a sentence there loses it."""
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}", re.ASCII)
_AGE = re.compile(r"[0-9]{3}[DWMY]", re.ASCII)
_NUMBERS = frozenset(
    {"US", "SS", "UL", "IS", "DS", "OB", "OW", "OV", "UV", "US or SS", "US or OW", "US or SS or OW", "OB or OW"}
)
"""Value representations in which nobody writes a name; a file may state another one for any element.

Those with an "or" are what pydicom calls them before it has looked at Pixel Representation, as in implicit VR.
"""


def without_identity(source: Dataset, key: str) -> Dataset:
    """A copy with the pixels as they are, how to show them, body part, view, age and sex.

    The three UIDs are made from ``key`` only: the same key gives the same ones, and they tell nothing that ``key`` hides.
    """
    kept = _listed(source)
    for keyword in LUTS:
        if luts := items(source, keyword):
            setattr(kept, keyword, Sequence(_listed(item) for item in luts))
    for keyword in CODES:
        value = code(source, keyword) or ""
        if _CODE.fullmatch(value):
            setattr(kept, keyword, value)
    age = (code(source, "PatientAge") or "").zfill(4)  # devices leave the zeros of AS out
    if _AGE.fullmatch(age):
        kept.PatientAge = age
    if "ViewPosition" not in kept and (view := view_of(source)) in ("PA", "AP"):
        kept.ViewPosition = view  # stated as a code only; the sequence itself stays behind
    for role in ("Study", "Series", "SOP"):
        setattr(kept, f"{role}InstanceUID", generate_uid(entropy_srcs=[key, role]))
    kept.SOPClassUID = UID(text(source, "SOPClassUID") or "")
    kept.file_meta = FileMetaDataset()
    kept.file_meta.MediaStorageSOPClassUID = kept.SOPClassUID
    kept.file_meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID
    kept.file_meta.TransferSyntaxUID = source.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    return kept


def _listed(source: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in PICTURE:
        element = _element(source, keyword)
        if element is not None and (element.VR in _NUMBERS or (element.VR == "CS" and _is_code(source, keyword))):
            kept.add(element)
    return kept


def _element(source: Dataset, keyword: str) -> DataElement | None:
    """The element; ``None`` when it is absent or its bytes are no value."""
    try:
        return source[keyword]
    except Exception:  # KeyError: absent; on hostile bytes pydicom raises nearly any type, and there is nothing to keep
        return None


def _is_code(source: Dataset, keyword: str) -> bool:
    return all(_CODE.fullmatch(str(value)) for value in values(source, keyword))
