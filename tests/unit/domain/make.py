"""Makers of the domain's values, and hypothesis strategies for them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hypothesis import strategies as st

from triage.domain.assessment import InstanceExcuse, InstanceScore, Model, NotAssessed, Outcome, combine
from triage.domain.doubt import Doubt
from triage.domain.instance import Facts, Instance
from triage.domain.level import HeadStarts
from triage.domain.reason import Reason
from triage.domain.study import Reading, ReadingState, Study, begin, placed, with_doubt, with_image, with_outcome

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
POLICY = HeadStarts()
MODEL = Model(name="net", version="1", bundle_id="ab" * 32, spec_id="s", threshold=0.5)
OTHER_MODEL = replace(MODEL, version="2", bundle_id="cd" * 32)
FACTS = Facts(patient_id="P-1", patient_name="Doe^Jane", modality="DX", view="PA")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def digest(*of: object) -> str:
    return sha256(repr(of).encode()).hexdigest()


def study(uid: str = "1.2.3", at: datetime = NOW, policy: HeadStarts = POLICY) -> Study:
    return begin(uid, FACTS, at, policy)


def instance(study_uid: str = "1.2.3", number: int = 1, at: datetime = NOW) -> Instance:
    return Instance(
        sop_instance_uid=f"{study_uid}.1.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        series_instance_uid=f"{study_uid}.1",
        study_instance_uid=study_uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        digest=digest(study_uid, number),
        size_bytes=1000 + number,
        calling_ae_title="MODALITY",
        received_at=at,
    )


def scored(uid: str = "1.2.3", *probabilities: float, at: datetime = NOW, model: Model = MODEL) -> Outcome:
    """The network saw one film for each probability."""
    scores = [
        InstanceScore(sop_instance_uid=f"{uid}.1.{number}", digest=digest(uid, number), probability=probability)
        for number, probability in enumerate(probabilities, start=1)
    ]
    return combine(uid, model, scores, [], at)


def excuse(reason: Reason = Reason.CANNOT_DECODE, number: int = 1, out_of_scope: bool = False) -> InstanceExcuse:
    return InstanceExcuse(
        sop_instance_uid=f"1.2.3.1.{number}", digest=digest("1.2.3", number), reason=reason, out_of_scope=out_of_scope
    )


def excused(
    uid: str = "1.2.3", reason: Reason = Reason.CANNOT_DECODE, *, out_of_scope: bool = False, at: datetime = NOW
) -> NotAssessed:
    return NotAssessed(
        study_instance_uid=uid,
        reason=reason,
        considered=frozenset({digest(uid, 1)}),
        decided_at=at,
        out_of_scope=out_of_scope,
        model=MODEL,
    )


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
uids = st.lists(st.integers(0, 10**9), min_size=1, max_size=6).map(lambda parts: ".".join(map(str, parts)))
digests = st.binary(max_size=4).map(digest)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
probabilities = st.floats(0.0, 1.0)
reasons = st.sampled_from(list(Reason))
facts = st.builds(Facts, **{name: st.none() | texts for name in Facts.__dataclass_fields__})
models = st.builds(Model, name=texts, version=texts, bundle_id=digests, spec_id=texts, threshold=probabilities)
scores = st.builds(InstanceScore, sop_instance_uid=uids, digest=digests, probability=probabilities)
excuses = st.builds(InstanceExcuse, sop_instance_uid=uids, digest=digests, reason=reasons, out_of_scope=st.booleans())
readings = st.builds(
    Reading,
    state=st.sampled_from(ReadingState),
    reader=st.none() | texts,
    since=st.none() | moments,
    lease_until=st.none() | moments,
    verdict=st.none() | texts,
    verdict_at=st.none() | moments,
)


@st.composite
def policies(draw: st.DrawFn) -> HeadStarts:
    """Any head starts that the policy admits."""
    steps = sorted(draw(st.lists(st.integers(0, 40 * 24 * 60), min_size=4, max_size=4)))
    low, unflagged, raised, stat = (timedelta(minutes=step) for step in steps)
    more = draw(st.sampled_from([timedelta(0), (stat - raised) / 2]))
    return HeadStarts(
        stat=stat, flagged=raised + more, not_assessed=raised, pending=raised, out_of_scope=low, not_flagged=unflagged
    )


@st.composite
def outcomes(draw: st.DrawFn, uid: str | None = None) -> Outcome:
    """Any outcome that the steps can reach; with ``uid``, of that study."""
    uid = uid if uid is not None else draw(uids)
    if draw(st.booleans()):
        seen = draw(st.lists(scores, max_size=3, unique_by=lambda score: score.digest))
        return combine(uid, draw(models), seen, draw(st.lists(excuses, max_size=3)), draw(moments))
    return NotAssessed(
        study_instance_uid=uid,
        reason=draw(reasons),
        considered=frozenset(draw(st.lists(digests, max_size=3))),
        decided_at=draw(moments),
        out_of_scope=draw(st.booleans()),
        model=draw(st.none() | models),
        excuses=tuple(draw(st.lists(excuses, max_size=2))),
    )


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Any study that images, outcomes and people can make."""
    policy = draw(policies())
    one = begin(draw(uids), draw(facts), draw(moments), policy)
    for step in draw(st.lists(st.sampled_from(["image", "outcome", "person", "reading", "doubt"]), max_size=5)):
        if step == "image":
            one = with_image(one, policy)
        elif step == "outcome":
            one = with_outcome(one, draw(outcomes(uid=one.study_instance_uid)), policy)
        elif step == "doubt":
            one = with_doubt(one, draw(st.sampled_from(Doubt)), policy)
        elif step == "person":
            one = placed(replace(one, stat=not one.stat), policy)
        else:
            one = replace(one, reading=draw(readings))
    return one
