"""What leaves in a support bundle: nothing that names a patient or a film."""

import ast
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import triage
from triage.domain.redaction import NAMES, NUMBERS, WORDS, Redaction, vocabulary

UID = "1.2.826.0.1.3680043.8.498.1"
DIGEST = "ab" * 32
OURS = Redaction(
    vocabulary(
        [
            "study film is gone away damaged conflicts value run triage verify worker films are",
            "schema 0014_orders version since PatientID PACS listening cannot be read",
        ]
    )
)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (f"study {UID} is gone", "study <UID> is gone"),
        (f"{DIGEST}: damaged", "·: damaged"),
        ("10.77.20.3:104 is away", "10.77.20.3:104 is away"),
        ("PatientID 'KQZX 12' conflicts", "PatientID <quoted> conflicts"),
        ('value "DOE^JOHN"', "value <quoted>"),
        ("value DOE^JOHN, 12345678, 19610723 and 1961-07-23", "value · ·, · · <date>"),
        ("2 films are damaged; run: triage verify", "2 films are damaged; run: triage verify"),
        ("PACS: away since 12:03, 0xA700", "PACS: away since 12:03, 0xA700"),
        ("山田^太郎 is gone", "· is gone"),
        ("film^study is gone", "· is gone"),
    ],
)
def test_our_own_words_stay_and_others_go(words: str, left: str) -> None:
    assert OURS.words(words) == left


@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=12), st.text(alphabet=" ,;:()", max_size=3))
def test_no_uid_stays(components: list[int], beside: str) -> None:
    uid = ".".join(map(str, components))
    assert uid not in OURS.words(f"film{beside} {uid} {beside}")


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_of_any_text_only_words_of_the_list_and_short_numbers_are_left(text: str) -> None:
    left = {word for word in vocabulary([OURS.words(text)]) if word.isalpha()}
    assert left <= OURS.ours | {"quoted", "UID", "date"}


def test_a_log_line_keeps_the_fields_that_may_leave() -> None:
    at = "2026-12-01T10:00:00+00:00"
    entry = {
        "timestamp": at,
        "role": "worker-2@node",
        "event": "film is gone",
        "level": "error",
        "study_instance_uid": UID,
        "digest": DIGEST,
        "cause": f"{UID}: cannot be read",
        "patient": "DOE^JOHN",
        "patient_birth_date": 19610723,
        "films": 7,
        "port": "DOE",
        "kind": "DOE^JOHN",
        "where": "store_scp:104",
        "deep": {"name": "DOE"},
    }
    lines = [
        f"Dec 01 host triage[7]: {json.dumps(entry)}",
        "Traceback of somebody: DOE^JOHN",
        json.dumps(entry | {"timestamp": "2026-11-30T10:00:00+00:00"}),
        json.dumps({"event": "film is gone"}),
        json.dumps(entry | {"timestamp": "DOE"}),
        json.dumps(entry | {"role": ["DOE"]}),
        "{broken",
        "[1]",
    ]
    (line,) = OURS.lines(lines, datetime(2026, 12, 1, tzinfo=UTC))
    assert json.loads(line) == {
        "timestamp": at,
        "role": "worker-2@node",
        "event": "film is gone",
        "level": "error",
        "cause": "<UID>: cannot be read",
        "films": 7,
        "where": "store_scp:104",
    }
    (line,) = OURS.lines([json.dumps(entry | {"role": "DOE", "event": "DOE JOHN"})])
    assert "DOE" not in line


LOGGING = {"info", "warning", "error", "bind", "report", "_log", "log"}
LEFT = frozenset(
    {"study_instance_uid", "sop_instance_uid", "transaction_uid", "digest", "said", "at", "certificate", "certificate_until"}
    | {"again", "destinations"}
)
"""Fields that never leave."""


def test_every_field_that_is_logged_was_decided_on() -> None:
    found = set()
    for path in Path(triage.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "structlog" in text or "report(" in text:
            calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
            named = [call for call in calls if isinstance(call.func, (ast.Attribute, ast.Name))]
            found |= {
                keyword.arg
                for call in named
                if (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")) in LOGGING
                for keyword in call.keywords
                if keyword.arg
            }
    assert found - WORDS - NAMES - NUMBERS - LEFT == set(), "a new field: may it leave the site in a support bundle?"
    assert len(found) > 40
