"""The DICOM JSON Model (PS3.18 F) as it goes out: believed only in its shape, and told as what the index knows it to be."""

import json
import re
from typing import Any

from triage.domain.instance import Instance
from triage.imaging.metadata import MOST_BYTES, REFERENCE
from triage.web.answers import Json

MEDIA_TYPE = "application/dicom+json"
_TAG = re.compile(r"[0-9A-F]{8}")
_VR = re.compile(r"[A-Z]{2}")
_MEMBERS = frozenset({"vr", "Value", "InlineBinary", REFERENCE})

Model = dict[str, dict[str, Any]]
"""Elements by tag: ``{"00080020": {"vr": "DA", "Value": ["20261123"]}}``."""


class DicomJson(Json):
    """An answer in the DICOM JSON Model."""

    media_type = MEDIA_TYPE


def element(vr: str, *values: Any) -> dict[str, Any]:
    """One element; without a value that is not empty: the VR alone (PS3.18 F.2.5)."""
    told = [value for value in values if value not in (None, "")]
    return {"vr": vr, "Value": told} if told else {"vr": vr}


def model_of(encoded: bytes) -> Model:
    """The elements that a child says a film has.

    Raises:
        ValueError, RecursionError: these are none.
    """
    if len(encoded) > MOST_BYTES:
        raise ValueError("too much")
    model = json.loads(encoded)
    if not isinstance(model, dict) or not all(_is_element(tag, one) for tag, one in model.items()):
        raise ValueError("no elements")
    return model


def of_instance(model: Model, instance: Instance, address: str) -> Model:
    """The header of an indexed film. Its identifiers are those of the index, whatever a child says of it.

    ``address``: of the instance; long values are found below it.
    """
    told = {tag: one if REFERENCE not in one else {**one, REFERENCE: f"{address}/bulkdata/{tag}"} for tag, one in model.items()}
    told |= {
        "00080016": element("UI", instance.sop_class_uid),
        "00080018": element("UI", instance.sop_instance_uid),
        "0020000D": element("UI", instance.study_instance_uid),
        "0020000E": element("UI", instance.series_instance_uid),
        "00083002": element("UI", instance.transfer_syntax_uid),  # Available Transfer Syntax UID
    }
    return dict(sorted(told.items()))


def _is_element(tag: str, one: Any) -> bool:
    """Whether a viewer could read it; a reference stands at the top only, and names its own tag."""
    if not (_TAG.fullmatch(tag) and isinstance(one, dict) and set(one) <= _MEMBERS):
        return False
    if not (isinstance(one.get("vr"), str) and _VR.fullmatch(one["vr"])):
        return False
    if REFERENCE in one and one[REFERENCE] != tag:
        return False
    return isinstance(one.get("Value", []), list) and isinstance(one.get("InlineBinary", ""), str)
