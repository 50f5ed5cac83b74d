"""What stands above the list, from the vitals alone."""

from datetime import timedelta

import pytest

from tests.unit.domain.make import NOW
from triage.web.notices import answers_drift, flags_order, modalities_send
from triage.web.vitals import Vitals


def vitals(**told: str) -> Vitals:
    return Vitals(now=NOW, heartbeat_limit=timedelta(seconds=30), free_bytes=1, revision=1, **told)


@pytest.mark.parametrize(
    ("rule", "told", "title"),
    [
        (modalities_send, {"silent": "CT has sent nothing since Mon"}, "A modality has fallen silent"),
        (flags_order, {"flood": "50 of the last 50 assessed studies are flagged"}, "Nearly everything is flagged"),
        (answers_drift, {"drift": "CT: 90 % of its last 60 studies are flagged"}, "The network's answers have changed"),
    ],
)
def test_what_was_noticed_is_said_and_else_nothing(rule, told, title):  # type: ignore[no-untyped-def]
    (notice,) = rule(vitals(**told))
    assert notice.headline == title
    assert next(iter(told.values())) in notice.detail
    assert list(rule(vitals())) == []
