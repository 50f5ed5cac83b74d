"""What marks an object as made by this service: it stands in everything that goes out and is looked for in what comes in."""

from collections.abc import Iterable

from triage.domain.identifiers import derived_uid

MANUFACTURER = "Chest X-ray triage project"
MODEL_NAME = "Chest X-ray triage"
"""Manufacturer's Model Name (0008,1090) of all that is made here."""
DEVICE_UID = derived_uid("chest X-ray triage", "device")
"""Device UID (0018,1002) of all that is made here, by whichever installation."""

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
RESULT_CLASSES: dict[str, str] = {
    COMPREHENSIVE_SR: "Comprehensive SR Storage",
    PRESENTATION_STATE: "Grayscale Softcopy Presentation State Storage",
}
"""SOP classes of results that hold no film: taken in only where they are ours and come back."""

CODING_SCHEME = "99CXRT"
"""Coding Scheme Designator of our own codes: 99 tells private ones (PS3.3 8.2)."""

NOTICE = "Notification only. Not for diagnostic use."


def is_ours(sop_class_uid: str, device_uids: Iterable[str], model_name: str | None) -> bool:
    """Whether an object that comes in is one of the results that went out.

    Of a class that holds no film either mark is enough: a PACS may take one of them out. Secondary Capture holds films, too:
    there both must stand, so that no film is ever taken for a result.
    """
    marks = (DEVICE_UID in device_uids, model_name == MODEL_NAME)
    return any(marks) if sop_class_uid in RESULT_CLASSES else sop_class_uid == SECONDARY_CAPTURE and all(marks)
