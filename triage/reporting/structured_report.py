"""A result as DICOM SR: TID 1500 in Comprehensive SR (PS3.3 A.35.3, PS3.16 TID 1500), preliminary and unverified."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from triage.domain.delivery import DicomObject
from triage.domain.ours import CODING_SCHEME, COMPREHENSIVE_SR, MANUFACTURER, SECONDARY_CAPTURE
from triage.domain.result import Result, ResultImage
from triage.reporting.codes import SCHEME_NAME, SCHEME_UID
from triage.reporting.header import REQUIRED, patient_and_study
from triage.reporting.part10 import Device, Made, mark, written

REPORT = Made(
    purpose="sr",
    place=1,
    sop_class_uid=COMPREHENSIVE_SR,
    modality="SR",
    description="Chest X-ray triage (not for diagnostic use)",
)
_NO_IMAGE = ResultImage(sop_instance_uid="0.0", sop_class_uid=SECONDARY_CAPTURE, series_instance_uid="0.0", digest="")


def structured_report(result: Result, predecessors: Sequence[Result], films: Sequence[Dataset], device: Device) -> DicomObject:
    """The report of a result; made again it is the same bytes.

    ``predecessors``: the study's earlier results, oldest first. ``films``: what :func:`triage.reporting.header.film_header`
    gave, in the order of the result's images; an empty data set for a film that cannot be read.
    """
    dataset = _document(result, predecessors)
    for element in patient_and_study(result, films).elements():
        dataset[element.tag] = element
    mark(dataset, result, REPORT, device)
    dataset.ObservationDateTime = dataset.ContentDate + dataset.ContentTime
    if predecessors:
        dataset.PredecessorDocumentsSequence = [_predecessor(one) for one in predecessors]
    return written(dataset)


def _document(result: Result, predecessors: Sequence[Result]) -> Dataset:
    """The document with its content; of a patient who has no name yet."""
    from highdicom.sr import ComprehensiveSR  # 3 s: only who makes a report waits for it

    from triage.reporting.content import content_of

    document = ComprehensiveSR(
        evidence=_evidence(result),
        content=content_of(result, predecessors[-1].number if predecessors else None),
        series_instance_uid=REPORT.series_instance_uid(result),
        series_number=1,
        sop_instance_uid=REPORT.sop_instance_uid(result),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    dataset = Dataset()
    dataset.update(document)
    del dataset.ContributingEquipmentSequence  # the library's own name, and the time of day
    scheme = Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeUID, scheme.CodingSchemeName = CODING_SCHEME, SCHEME_UID, SCHEME_NAME
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    dataset.CodingSchemeIdentificationSequence = [scheme]
    if not result.images:
        del dataset.CurrentRequestedProcedureEvidenceSequence
    return dataset


def _evidence(result: Result) -> list[Dataset]:
    """The study's images as the library wants them: with an empty patient, which the film's takes the place of."""
    evidence = []
    for image in result.images or (_NO_IMAGE,):
        film = Dataset()
        film.StudyInstanceUID = result.study_instance_uid
        film.SeriesInstanceUID = image.series_instance_uid
        film.SOPInstanceUID, film.SOPClassUID = image.sop_instance_uid, image.sop_class_uid
        for keyword in REQUIRED:
            setattr(film, keyword, "")
        evidence.append(film)
    return evidence


def _predecessor(earlier: Result) -> Dataset:
    """A Hierarchical SOP Instance Reference (PS3.3 C.17.2.1) to the report that an earlier result was sent as."""
    document, series, study = Dataset(), Dataset(), Dataset()
    document.ReferencedSOPClassUID = COMPREHENSIVE_SR
    document.ReferencedSOPInstanceUID = REPORT.sop_instance_uid(earlier)
    series.SeriesInstanceUID = REPORT.series_instance_uid(earlier)
    series.ReferencedSOPSequence = [document]
    study.StudyInstanceUID = earlier.study_instance_uid
    study.ReferencedSeriesSequence = [series]
    return study
