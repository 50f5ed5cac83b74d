"""What leaves in a support bundle: nothing that names a patient or a film."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.domain.redaction import redacted, without_identifiers

UID = "1.2.826.0.1.3680043.8.498.1"
DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (f"study {UID} is gone", "study <UID> is gone"),
        (f"{DIGEST}: damaged", "<digest>: damaged"),
        ("10.77.20.3:104 is away", "10.77.20.3:104 is away"),
        ("PatientID 'KQZX 12' conflicts", "PatientID <quoted> conflicts"),
        ('value "DOE^JOHN"', "value <quoted>"),
        ("2 films are damaged; run: triage verify", "2 films are damaged; run: triage verify"),
        ("schema 0014_orders, version 1.2.0", "schema 0014_orders, version 1.2.0"),
    ],
)
def test_identifiers_and_quotations_go(words: str, left: str) -> None:
    assert without_identifiers(words) == left


@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=12), st.text(alphabet=" ,;:()", max_size=3))
def test_no_uid_stays(components: list[int], beside: str) -> None:
    uid = ".".join(map(str, components))
    assert uid not in without_identifiers(f"film{beside} {uid} {beside}")


def test_a_log_line_keeps_what_may_leave_and_numbers() -> None:
    entry = {
        "event": "film faulty",
        "level": "error",
        "study_instance_uid": UID,
        "digest": DIGEST,
        "cause": f"{UID}: cannot be read",
        "patient": "DOE^JOHN",
        "bytes": 7,
        "deep": {"name": "DOE"},
    }
    lines = [
        f"Dec 01 host triage[7]: {json.dumps(entry)}",
        "Traceback of somebody: DOE^JOHN",
        '{"no": "event"}',
        "{broken",
        "[1]",
    ]
    (line,) = redacted(lines)
    assert json.loads(line) == {"event": "film faulty", "level": "error", "cause": "<UID>: cannot be read", "bytes": 7}
