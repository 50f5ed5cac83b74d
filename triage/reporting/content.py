"""The content tree of a result: TID 1500 Measurement Report (PS3.16), by highdicom."""

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from triage.domain.identifiers import derived_uid
from triage.domain.ours import DEVICE_UID, MANUFACTURER, MODEL_NAME, NOTICE
from triage.domain.result import Result
from triage.reporting.codes import (
    CERTAINTY,
    CHEST,
    COMMENT,
    FAMILY,
    FINDING,
    LEVEL,
    LEVELS,
    OPERATING_POINT,
    PERCENT,
    PROCEDURE,
    REASON,
    REASONS,
    TITLE,
    Coded,
)
from triage.reporting.words import percents, plain, sentences


def content_of(result: Result, replaced: int | None) -> Dataset:
    """The root container. ``replaced``: the number of the result that this one replaces."""
    report = MeasurementReport(
        title=_code(TITLE),
        observation_context=ObservationContext(observer_device_context=_observer(result)),
        procedure_reported=_code(PROCEDURE),
        imaging_measurements=[_group(result)],
    )
    root: Dataset = report[0]
    # the words before the numbers: TID 1500 is extensible, and viewers show a document from top to bottom
    at = len(root.ContentSequence) - 1
    for number, sentence in enumerate([NOTICE, *sentences(result, replaced)]):
        comment = TextContentItem(_code(COMMENT), sentence, RelationshipTypeValues.CONTAINS)
        root.ContentSequence.insert(at + number, comment)
    return root


def _observer(result: Result) -> ObserverContext:
    """TID 1004: the network, named by the digest of its bundle; where none was asked, the service."""
    model = result.model
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=derived_uid("model", model.bundle_id) if model else DEVICE_UID,
            name=plain(model.label, 128) if model else MODEL_NAME,
            manufacturer_name=MANUFACTURER,
            model_name=MODEL_NAME,
            serial_number=model.bundle_id if model else None,
        ),
    )


def _group(result: Result) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501: what was searched for, where, with what certainty, and what that makes of the study."""
    evaluations = [QualitativeEvaluation(_code(LEVEL), _code(LEVELS[result.level]))]
    if result.reason is not None:
        evaluations.append(QualitativeEvaluation(_code(REASON), _code(REASONS[result.reason])))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid("tracking", result.study_instance_uid), identifier="Chest X-ray triage"
        ),
        finding_type=_code(FINDING),
        algorithm_id=_algorithm(result),
        finding_sites=[FindingSite(_code(CHEST))],
        measurements=_measurements(result),
        qualitative_evaluations=evaluations,
        source_images=[
            SourceImageForMeasurementGroup(image.sop_class_uid, image.sop_instance_uid)
            for image in result.images
            if image.probability is not None
        ],
    )


def _measurements(result: Result) -> list[Measurement] | None:
    if result.probability is None or result.model is None:
        return None
    numbers = percents(result.probability, result.model.threshold)
    exact = 100 * result.probability, 100 * result.model.threshold
    return [_measurement(*told) for told in zip((CERTAINTY, OPERATING_POINT), numbers, exact, strict=True)]


def _measurement(name: Coded, shown: str, exact: float) -> Measurement:
    """A number in per cent: as it is shown, and beside it as exactly as it was computed."""
    measurement = Measurement(name=_code(name), value=exact, unit=_code(PERCENT))
    measurement[0].MeasuredValueSequence[0].NumericValue = shown
    return measurement


def _algorithm(result: Result) -> AlgorithmIdentification | None:
    if result.model is None:
        return None
    version = f"{plain(result.model.version)}+{result.model.bundle_id[:8]}"
    return AlgorithmIdentification(name=plain(result.model.name), version=version, family=_code(FAMILY))


def _code(coded: Coded) -> CodedConcept:
    return CodedConcept(*coded)
