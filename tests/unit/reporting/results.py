"""Results to report, and hypothesis strategies for them and for the headers of films."""

import struct
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tests.films import DX, EXPLICIT_LITTLE, film
from tests.unit.domain.make import MODEL, digest, facts, models, moments, probabilities, reasons
from triage.dimse.store_scp import file_meta
from triage.domain.assessment import Model
from triage.domain.instance import Facts
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.result import Result, ResultImage
from triage.reporting.header import COPIED, film_header
from triage.reporting.part10 import Device

DEVICE = Device(station="TRIAGE")
AT = datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)
STUDY = "1.2.3"


def image(number: int = 1, probability: float | None = None, reason: Reason | None = None, study: str = STUDY) -> ResultImage:
    return ResultImage(
        sop_instance_uid=f"{study}.1.{number}",
        sop_class_uid=DX,
        series_instance_uid=f"{study}.1",
        digest=digest(study, number),
        probability=probability,
        reason=reason,
    )


def scored(probability: float = 0.91, *, number: int = 1, model: Model = MODEL, others: tuple[ResultImage, ...] = ()) -> Result:
    """A result with a number."""
    level = Level.FLAGGED if probability >= model.threshold else Level.NOT_FLAGGED
    return Result(
        study_instance_uid=STUDY,
        number=number,
        level=level,
        decided_at=AT,
        facts=Facts(patient_id="P-1"),
        images=(image(1, probability), *others),
        probability=probability,
        model=model,
    )


def excused(reason: Reason = Reason.CANNOT_DECODE, level: Level = Level.NOT_ASSESSED, model: Model | None = MODEL) -> Result:
    """A result without one."""
    return replace(scored(), level=level, probability=None, reason=reason, model=model, images=(image(1, None, reason),))


KINDS: dict[str, Result] = {
    "flagged": scored(0.91),
    "not_flagged": scored(0.03),
    "not_assessed": excused(),
    "out_of_scope": excused(Reason.NOT_A_CHEST_FILM, Level.OUT_OF_SCOPE),
    "without_model": excused(Reason.QUARANTINED, model=None),
    "without_image": replace(excused(Reason.FILM_SET_ASIDE, model=None), images=()),
    "two_films": scored(0.7, others=(image(2, None, Reason.LATERAL_VIEW),)),
}

NETWORK = Model(name="densenet121-cxr", version="1.2", bundle_id="4f9d2c71" * 8, spec_id="s", threshold=0.4213)
EXAMPLE = scored(0.8734, number=2, model=NETWORK, others=(image(2, None, Reason.LATERAL_VIEW),))
"""The one of docs/results-sr.md; it replaces an earlier one."""


def header(**elements: Any) -> Dataset:
    """What is read of a film's header."""
    return film_header(BytesIO(film(STUDY, f"{STUDY}.1.1", **elements)))


@st.composite
def results(draw: st.DrawFn) -> Result:
    """Any result that keeps the rules of its class."""
    level = draw(st.sampled_from([Level.FLAGGED, Level.NOT_FLAGGED, Level.NOT_ASSESSED, Level.OUT_OF_SCOPE]))
    has_number = level in (Level.FLAGGED, Level.NOT_FLAGGED)
    model, probability = draw(models), draw(probabilities)
    if has_number:
        low, high = sorted([probability, model.threshold])
        if level is Level.NOT_FLAGGED and low == high:
            low, high = 0.25, 0.5
        probability, threshold = (high, low) if level is Level.FLAGGED else (low, high)
        model = replace(model, threshold=threshold)
    excuses = draw(st.lists(st.none() | reasons, max_size=3))
    others = tuple(image(number, None, reason) for number, reason in enumerate(excuses, start=2))
    return Result(
        study_instance_uid=STUDY,
        number=draw(st.integers(1, 500)),
        level=level,
        decided_at=draw(moments),
        facts=draw(facts),
        images=((image(1, probability), *others) if has_number else others),
        probability=probability if has_number else None,
        reason=None if has_number else draw(reasons),
        model=model if has_number else draw(st.none() | st.just(model)),
    )


CHARACTER_SETS = (
    *("", "ISO_IR 6", "ISO_IR 100", "ISO_IR 144", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK"),
    *("\\ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 149", "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 100"),
    *("ISO-8859-1", "utf8", "ISO_IR 999", "ISO_IR 100\\ISO_IR 192", "ISO 2022 IR 87\\ISO 2022 IR 87"),
)
"""Of the standard, and what devices make of it."""
_SAID = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("ABab^=\\ 019.:-", max_size=80).map(str.encode),
    st.sampled_from([b"20260302", b"0800", b"F", b"f", b"045Y", b"45Y", "Müller^Jürgen".encode("latin-1"), "Ωμέγα".encode()]),
    st.sampled_from([b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "王^小东".encode("gb18030"), b"YES", b"A" * 70]),
)


@st.composite
def films(draw: st.DrawFn) -> bytes:
    """A film without pixels by somebody hostile, or by a careless device. Bytes: pydicom cannot print every one of them."""
    given = draw(st.dictionaries(st.sampled_from([*COPIED, "TimezoneOffsetFromUTC"]), _SAID))
    elements = {0x00090010: (b"LO", b"HOSTILE "), 0x00091001: (b"LO", draw(st.binary(max_size=8)))}
    if draw(st.booleans()):
        elements[0x00080005] = b"CS", draw(st.sampled_from(CHARACTER_SETS)).encode()
    for keyword, value in given.items():
        stated = draw(st.sampled_from([dictionary_VR(keyword)] * 4 + ["UN", "LT", "OB", "US", "SQ"]))
        # in GB18030 a letter may end in this byte (PS3.5 6.1.2.3), which dciodvfy takes for a delimiter
        told = value.replace(b"\\", b"/") if b"GB" in elements.get(0x00080005, (b"", b""))[1] else value
        elements[Tag(keyword)] = stated.encode(), told
    elements |= {0x00080016: (b"UI", DX.encode()), 0x0020000D: (b"UI", STUDY.encode()), 0x00200060: (b"CS", b"")}
    data_set = b"".join(_element(tag, vr, value + b" " * (len(value) % 2)) for tag, (vr, value) in sorted(elements.items()))
    return file_meta(DX, f"{STUDY}.1.1", EXPLICIT_LITTLE) + data_set


def header_of(film: bytes) -> Dataset:
    return film_header(BytesIO(film))


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Explicit VR Little Endian (PS3.5 7.1.2)."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return head + (struct.pack("<HI", 0, len(value)) if vr in (b"UN", b"OB", b"SQ") else struct.pack("<H", len(value))) + value
