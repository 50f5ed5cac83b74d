"""What all objects made here have in common, and their bytes."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from triage.domain.delivery import DicomObject
from triage.domain.identifiers import derived_uid
from triage.domain.ours import DEVICE_UID, MANUFACTURER, MODEL_NAME
from triage.domain.result import Result
from triage.reporting.header import offset_of
from triage.reporting.words import plain

IMPLEMENTATION_CLASS_UID = derived_uid("chest X-ray triage", "results")
IMPLEMENTATION_VERSION_NAME = "CHEST_TRIAGE_SR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Which installation makes an object.

    ``station``: its AE title; ``zone``: of dates and times, where the film states none.
    """

    station: str
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Which of a result's objects it is. ``purpose`` names its UIDs; ``place``: 1 to 9, of its series among the others."""

    purpose: str
    place: int
    sop_class_uid: str
    modality: str
    description: str

    def sop_instance_uid(self, result: Result) -> str:
        """Always the same of the same result."""
        return result.uid(self.purpose)

    def series_instance_uid(self, result: Result) -> str:
        """A series of its own for each."""
        return result.uid(f"{self.purpose} series")


def mark(dataset: Dataset, result: Result, made: Made, device: Device) -> None:
    """Series, equipment, identity and time (PS3.3 C.7.3.1, C.7.5.1, C.12.1), whatever stood there."""
    dataset.SOPClassUID = made.sop_class_uid
    dataset.SOPInstanceUID = made.sop_instance_uid(result)
    dataset.SeriesInstanceUID = made.series_instance_uid(result)
    dataset.SeriesNumber = 900 + 10 * (result.number - 1) + made.place
    dataset.InstanceNumber = 1
    dataset.Modality = made.modality
    dataset.SeriesDescription = made.description
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.DeviceUID = DEVICE_UID
    dataset.StationName = plain(device.station, 16)
    if result.model is not None:
        dataset.SoftwareVersions = plain(result.model.label)
    decided_at = result.decided_at.astimezone(offset_of(dataset) or device.zone)
    dataset.ContentDate = dataset.InstanceCreationDate = f"{decided_at:%Y%m%d}"
    dataset.ContentTime = dataset.InstanceCreationTime = f"{decided_at:%H%M%S}"


def written(dataset: Dataset) -> DicomObject:
    """The object: Explicit VR Little Endian, the same bytes for the same elements."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(dataset.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = meta
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return DicomObject(
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
        content=stream.getvalue(),
    )
