"""Any result, and what a message says of it, read by two parsers that are not ours."""

from dataclasses import replace

from hl7apy.core import Message as ApyMessage
from hl7apy.parser import parse_message
from hl7apy.validation import Validator
from hypothesis import strategies as st

from tests.unit.domain import make
from triage.domain.level import Level
from triage.domain.result import Result, ResultImage

HOSTILE = "|^~\\&\r\n\x0b\x1c\x00\x85\u2028é日\U0001f600\ud800\"' .X0D"
texts = st.text(st.sampled_from(HOSTILE) | st.characters(), max_size=80)
facts = st.builds(make.Facts, **{name: st.none() | texts for name in make.Facts.__dataclass_fields__})
models = st.builds(make.Model, name=texts, version=texts, bundle_id=make.digests, spec_id=texts, threshold=make.probabilities)


@st.composite
def results(draw: st.DrawFn, number: int = 1, uid: str = "1.2.3") -> Result:
    """Any result that a study can come to."""
    level = draw(st.sampled_from([Level.FLAGGED, Level.NOT_FLAGGED, Level.NOT_ASSESSED, Level.OUT_OF_SCOPE]))
    scored = level in (Level.FLAGGED, Level.NOT_FLAGGED)
    return Result(
        study_instance_uid=uid,
        number=number,
        level=level,
        decided_at=draw(make.moments),
        facts=draw(facts),
        images=(),
        probability=draw(make.probabilities) if scored else None,
        reason=None if scored else draw(make.reasons),
        model=draw(models) if scored else draw(st.none() | models),
    )


def result(number: int = 1, probability: float | None = 0.873, **changes: object) -> Result:
    """A plain one."""
    image = ResultImage(
        sop_instance_uid="1.2.3.1.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        series_instance_uid="1.2.3.1",
        digest="ab" * 32,
        probability=probability,
    )
    facts = replace(make.FACTS, issuer_of_patient_id="HOSP", accession_number="A-17", patient_sex="F")
    plain = Result(
        study_instance_uid="1.2.3",
        number=number,
        level=Level.FLAGGED,
        decided_at=make.NOW,
        facts=facts,
        images=(image,),
        probability=probability,
        model=make.MODEL,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def validated(text: str) -> ApyMessage:
    """The message as hl7apy reads it, once it has found it valid."""
    read = parse_message(text, find_groups=True)
    assert Validator.validate(read)
    return read
