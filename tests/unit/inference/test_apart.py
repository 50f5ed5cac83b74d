"""Bundles proved in a process of their own; and the gate's record, which comes along with a bundle."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.inference.conftest import change
from triage.domain.bundle import PASS, Entry
from triage.domain.errors import BundleError
from triage.domain.identifiers import digest_of
from triage.inference.apart import BundlesApart
from triage.inference.cards import MAX_RECORD_BYTES, record_path
from triage.inference.memory import MemoryBundles
from triage.inference.registry import PACKAGED, Registry
from triage.services.models import Bundles

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def record(bundle: Path, **changes: object) -> dict[str, object]:
    """As ``python -m training promote`` writes it."""
    return {
        "candidate": "recommended@9.9",
        "bundle_id": digest_of((bundle / "manifest.json").read_bytes()),
        "against": {"the serving and first bundle": "recommended@1.1.0"},
        "decided_at": NOW.isoformat(),
        "checks": [{"name": "calibration", "rule": "ECE ≤ 0.05", "measured": "0.04", "verdict": "pass"}],
        "verdict": "pass",
        "may_be_installed": True,
        "approved_by": None,
        "reason": None,
        **changes,
    }


def installed(models: Path, bundle: Path) -> Entry:
    bundle_id = Registry(models).install(bundle).bundle_id
    return next(one for one in Registry(models).entries() if one.bundle_id == bundle_id)


def test_proving_choosing_and_going_back_in_a_process_of_its_own(bundle: Path, tmp_path: Path) -> None:
    change(bundle, "manifest.json", version="9.9")
    second = installed(tmp_path / "models", bundle)
    bundles: Bundles = BundlesApart(tmp_path / "models")
    first = bundles.entries()[0]
    assert (first.active, second.active, bundles.fault()) == (True, False, None)
    proof = bundles.activate(second.bundle_id, NOW, "carol")
    assert (proof.bundle_id, proof.golden >= 2, proof.files > 10) == (second.bundle_id, True, True)
    assert [(one.active, one.previous, one.active_since) for one in bundles.entries()] == [
        (False, True, None),
        (True, False, NOW.isoformat()),
    ]
    notes = (tmp_path / "models" / "activations.jsonl").read_text().splitlines()
    assert [json.loads(line)["who"] for line in notes] == ["carol"]
    (tmp_path / "models" / second.bundle_id / "report.html").write_text("other")
    assert bundles.rollback(NOW, "carol").bundle_id == first.bundle_id
    with pytest.raises(BundleError, match="digest differs"):
        bundles.activate(second.bundle_id, NOW, "carol")
    with pytest.raises(BundleError, match="no bundle"):
        bundles.card("f" * 64)


def test_a_proof_that_takes_too_long_changes_nothing(tmp_path: Path) -> None:
    bundles = BundlesApart(tmp_path, deadline_seconds=0.01)
    with pytest.raises(BundleError, match="not proved within"):
        bundles.activate(bundles.entries()[0].bundle_id, NOW, "carol")
    assert not (tmp_path / "active.json").exists()


def test_a_damaged_choice_is_a_fault_and_the_list_is_there_to_choose_from(tmp_path: Path) -> None:
    (tmp_path / "active.json").write_text("{")
    bundles = BundlesApart(tmp_path)
    assert "choose again" in str(bundles.fault())
    assert [one.active for one in bundles.entries()] == [False]


@pytest.mark.parametrize("kind", ["apart", "memory"])
def test_both_kinds_refuse_alike(kind: str, tmp_path: Path) -> None:
    bundles: Bundles = BundlesApart(tmp_path) if kind == "apart" else MemoryBundles()
    with pytest.raises(BundleError, match="no bundle was active before"):
        bundles.rollback(NOW, "carol")
    for unknown in ("f" * 64, "short", "../../etc", ""):
        with pytest.raises(BundleError, match="no bundle"):
            bundles.card(unknown)


def test_the_gates_record_comes_along_when_a_bundle_is_installed(bundle: Path, tmp_path: Path) -> None:
    change(bundle, "manifest.json", version="9.9")
    assert installed(tmp_path / "models", bundle).promotion is None
    record_path(bundle).write_text(json.dumps(record(bundle)))
    entry = installed(tmp_path / "models", bundle)
    assert entry.promotion is not None
    assert (entry.verdict, entry.needs_reason, entry.promotion.checks[0].measured) == (PASS, False, "0.04")
    assert [one.bundle_id for one in Registry(tmp_path / "models").entries()][1:] == [entry.bundle_id]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "lacks"),
        ('{"bundle_id": "f"}', "another bundle"),
        ("[" * 100_000, "cannot be read"),
        (" " * (MAX_RECORD_BYTES + 1), "too large"),
    ],
)
def test_a_record_that_cannot_be_used_counts_as_none_and_says_why(text: str, words: str, labelled: Path) -> None:
    record_path(labelled).write_text(text)
    (entry,) = Registry(labelled.parent / "none", packaged=labelled.parent).entries()
    assert entry.promotion is None
    assert words in str(entry.promotion_fault)
    assert entry.needs_reason


def test_a_record_of_another_bundle_is_not_taken_along(bundle: Path, tmp_path: Path) -> None:
    record_path(bundle).write_text(json.dumps(record(bundle)))
    change(bundle, "manifest.json", version="9.9")
    entry = installed(tmp_path / "models", bundle)
    assert (entry.promotion, entry.promotion_fault) == (None, None)


@pytest.mark.parametrize("changes", [{"verdict": "probably"}, {"checks": [{"name": "x"}]}, {"against": []}, {"checks": None}])
def test_a_record_that_lacks_something_is_none(labelled: Path, changes: dict[str, object]) -> None:
    record_path(labelled).write_text(json.dumps(record(labelled, **changes)))
    (entry,) = Registry(labelled.parent / "none", packaged=labelled.parent).entries()
    assert (entry.promotion, entry.promotion_fault is not None) == (None, True)


def test_the_shipped_card_can_be_told() -> None:
    registry = Registry(PACKAGED / "no such place")
    card = registry.card(registry.entries()[0].bundle_id)
    assert card.text.startswith("# recommended")
    assert card.golden == 8
    assert set(card.documents) == {"metrics", "calibration", "operating_point", "training_data"}
