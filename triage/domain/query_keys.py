"""What can be asked of studies, series and images: the keys and their levels (PS3.4 C.6.1.1, C.6.2.1), as a table."""

from dataclasses import dataclass
from enum import StrEnum


class QueryLevel(StrEnum):
    """Query/Retrieve Level (0008,0052), from the top down (PS3.4 C.6.1.1.1)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"

    @property
    def depth(self) -> int:
        """0 for patients, 3 for images."""
        return list(QueryLevel).index(self)


class KeyType(StrEnum):
    """How a key has to be supported (PS3.4 C.2.2.1)."""

    UNIQUE = "U"
    REQUIRED = "R"
    OPTIONAL = "O"


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that can be asked for. ``computed``: of rows and configuration, not of a header."""

    keyword: str
    tag: int
    vr: str
    level: QueryLevel
    type: KeyType
    computed: bool = False


_P, _S, _E, _I = QueryLevel
_U, _R, _O = KeyType

_TABLE = (
    Key("PatientName", 0x00100010, "PN", _P, _R),
    Key("PatientID", 0x00100020, "LO", _P, _U),
    Key("IssuerOfPatientID", 0x00100021, "LO", _P, _O),
    Key("PatientBirthDate", 0x00100030, "DA", _P, _O),
    Key("PatientBirthTime", 0x00100032, "TM", _P, _O),
    Key("PatientSex", 0x00100040, "CS", _P, _O),
    Key("StudyDate", 0x00080020, "DA", _S, _R),
    Key("StudyTime", 0x00080030, "TM", _S, _R),
    Key("AccessionNumber", 0x00080050, "SH", _S, _R),
    Key("StudyID", 0x00200010, "SH", _S, _R),
    Key("StudyInstanceUID", 0x0020000D, "UI", _S, _U),
    Key("ModalitiesInStudy", 0x00080061, "CS", _S, _O, computed=True),
    Key("SOPClassesInStudy", 0x00080062, "UI", _S, _O, computed=True),
    Key("ReferringPhysicianName", 0x00080090, "PN", _S, _O),
    Key("StudyDescription", 0x00081030, "LO", _S, _O),
    Key("NameOfPhysiciansReadingStudy", 0x00081060, "PN", _S, _O),
    Key("PatientAge", 0x00101010, "AS", _S, _O),
    Key("PatientSize", 0x00101020, "DS", _S, _O),
    Key("PatientWeight", 0x00101030, "DS", _S, _O),
    Key("NumberOfStudyRelatedSeries", 0x00201206, "IS", _S, _O, computed=True),
    Key("NumberOfStudyRelatedInstances", 0x00201208, "IS", _S, _O, computed=True),
    Key("StudyComments", 0x00324000, "LT", _S, _O, computed=True),
    Key("Modality", 0x00080060, "CS", _E, _R),
    Key("SeriesNumber", 0x00200011, "IS", _E, _R),
    Key("SeriesInstanceUID", 0x0020000E, "UI", _E, _U),
    Key("SeriesDate", 0x00080021, "DA", _E, _O),
    Key("SeriesTime", 0x00080031, "TM", _E, _O),
    Key("SeriesDescription", 0x0008103E, "LO", _E, _O),
    Key("Manufacturer", 0x00080070, "LO", _E, _O),
    Key("ManufacturerModelName", 0x00081090, "LO", _E, _O),
    Key("InstitutionName", 0x00080080, "LO", _E, _O),
    Key("StationName", 0x00081010, "SH", _E, _O),
    Key("PerformingPhysicianName", 0x00081050, "PN", _E, _O),
    Key("BodyPartExamined", 0x00180015, "CS", _E, _O),
    Key("ProtocolName", 0x00181030, "LO", _E, _O),
    Key("Laterality", 0x00200060, "CS", _E, _O),
    Key("PerformedProcedureStepStartDate", 0x00400244, "DA", _E, _O),
    Key("PerformedProcedureStepStartTime", 0x00400245, "TM", _E, _O),
    Key("NumberOfSeriesRelatedInstances", 0x00201209, "IS", _E, _O, computed=True),
    Key("InstanceNumber", 0x00200013, "IS", _I, _R),
    Key("SOPInstanceUID", 0x00080018, "UI", _I, _U),
    Key("SOPClassUID", 0x00080016, "UI", _I, _O),
    Key("AvailableTransferSyntaxUID", 0x00083002, "UI", _I, _O, computed=True),
    Key("ImageType", 0x00080008, "CS", _I, _O),
    Key("AcquisitionDate", 0x00080022, "DA", _I, _O),
    Key("ContentDate", 0x00080023, "DA", _I, _O),
    Key("AcquisitionTime", 0x00080032, "TM", _I, _O),
    Key("ContentTime", 0x00080033, "TM", _I, _O),
    Key("PresentationIntentType", 0x00080068, "CS", _I, _O),
    Key("ViewPosition", 0x00185101, "CS", _I, _O),
    Key("PatientOrientation", 0x00200020, "CS", _I, _O),
    Key("ImageLaterality", 0x00200062, "CS", _I, _O),
    Key("SamplesPerPixel", 0x00280002, "US", _I, _O),
    Key("PhotometricInterpretation", 0x00280004, "CS", _I, _O),
    Key("NumberOfFrames", 0x00280008, "IS", _I, _O),
    Key("Rows", 0x00280010, "US", _I, _O),
    Key("Columns", 0x00280011, "US", _I, _O),
    Key("BitsAllocated", 0x00280100, "US", _I, _O),
    Key("BitsStored", 0x00280101, "US", _I, _O),
)

KEYS: dict[str, Key] = {key.keyword: key for key in _TABLE}
"""By keyword, in the order of the levels."""

STORED: tuple[Key, ...] = tuple(key for key in _TABLE if not key.computed)
"""What the header of a film tells."""

MULTIPLE = frozenset({"ImageType", "PatientOrientation", "NameOfPhysiciansReadingStudy", "PerformingPhysicianName"})
"""Stored keys that may have several values (VM 1-n); of any other a backslash is part of its one value."""

EVERYWHERE: dict[str, Key] = {
    key.keyword: key
    for key in (
        Key("InstanceAvailability", 0x00080056, "CS", _P, _O, computed=True),
        Key("RetrieveAETitle", 0x00080054, "AE", _P, _O, computed=True),
    )
}
"""What every answer can tell, of whatever level; not matched."""

UNIQUE: dict[QueryLevel, str] = {key.level: key.keyword for key in _TABLE if key.type is KeyType.UNIQUE}
"""The key that names one entity of a level."""

ON_REQUEST = frozenset({"StudyComments"})
"""What no answer tells that was not asked for it by name."""


def supported(level: QueryLevel) -> list[Key]:
    """Keys of a level and of those above it: what a query of that level can match and return."""
    return [key for key in _TABLE if key.level.depth <= level.depth]
