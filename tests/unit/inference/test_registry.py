"""Installing, activating, rolling back: one file decides, and a refusal changes nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.inference.conftest import change
from triage.domain.errors import BundleError
from triage.inference.registry import PACKAGED, Registry

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_without_a_choice_the_packaged_bundle_serves(registry: Registry) -> None:
    assert registry.active_path() == PACKAGED / "recommended"
    assert registry.active() is None


def test_without_any_bundle_there_is_none(tmp_path: Path) -> None:
    assert Registry(tmp_path, packaged=tmp_path / "none").active_path() is None


def test_install_activate_roll_back(registry: Registry, bundle: Path, tmp_path: Path) -> None:
    packaged = next(entry.bundle_id for entry in registry.entries() if entry.active)
    change(bundle, "manifest.json", version="9.9")
    installed = registry.install(bundle).bundle_id
    assert registry.install(bundle).bundle_id == installed
    assert registry.activate(installed[:8], NOW) == installed
    assert json.loads((tmp_path / "models" / "active.json").read_text()) == {
        "active": installed,
        "previous": packaged,
        "activated_at": "2026-01-02T03:04:00+00:00",
    }
    assert registry.active_path() == tmp_path / "models" / installed
    assert [entry.version for entry in registry.entries() if entry.active] == ["9.9"]
    assert registry.rollback(NOW) == packaged
    assert registry.rollback(NOW) == installed


def test_a_refused_bundle_leaves_nothing_behind(registry: Registry, bundle: Path, tmp_path: Path) -> None:
    (bundle / "report.html").write_text("other")
    with pytest.raises(BundleError, match="digest differs"):
        registry.install(bundle)
    assert not (tmp_path / "models").exists()


def test_a_bundle_damaged_after_installing_is_not_activated(registry: Registry, bundle: Path, tmp_path: Path) -> None:
    change(bundle, "manifest.json", version="9.9")
    installed = registry.install(bundle).bundle_id
    (tmp_path / "models" / installed / "report.html").write_text("other")
    with pytest.raises(BundleError, match="digest differs"):
        registry.activate(installed, NOW)
    assert registry.active_path() == PACKAGED / "recommended"


@pytest.mark.parametrize("bundle_id", ["", "abc", "0" * 64])
def test_unknown_bundles(registry: Registry, bundle_id: str) -> None:
    with pytest.raises(BundleError, match="models list"):
        registry.activate(bundle_id, NOW)


def test_no_rollback_without_a_past(registry: Registry) -> None:
    with pytest.raises(BundleError, match="no bundle was active before"):
        registry.rollback(NOW)


def test_a_damaged_choice_is_said_and_can_be_made_again(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "active.json").write_text("{")
    with pytest.raises(BundleError, match="choose again"):
        registry.active_path()
    packaged = json.loads((PACKAGED / "recommended" / "manifest.json").read_text())
    assert registry.activate(registry.install(PACKAGED / "recommended").bundle_id, NOW)
    assert packaged["name"] == "recommended"


def test_the_list_says_since_when(registry: Registry, bundle: Path) -> None:
    change(bundle, "manifest.json", version="9.9")
    assert [entry.active_since for entry in registry.entries()] == [None]
    registry.activate(registry.install(bundle).bundle_id, NOW)
    assert [entry.active_since for entry in registry.entries()] == [None, "2026-01-02T03:04:00+00:00"]


@pytest.mark.soak
def test_every_change_is_noted_and_a_refused_one_is_not(registry: Registry, bundle: Path, tmp_path: Path) -> None:
    packaged = registry.entries()[0].bundle_id
    change(bundle, "manifest.json", version="9.9")
    installed = registry.install(bundle).bundle_id
    registry.activate(installed, NOW, "alice")
    registry.activate(installed, NOW, "alice")
    registry.rollback(NOW, "bob")
    (tmp_path / "models" / installed / "report.html").write_text("other")
    with pytest.raises(BundleError, match="digest differs"):
        registry.activate(installed, NOW, "mallory")
    notes = (tmp_path / "models" / "activations.jsonl").read_text().splitlines()
    at = "2026-01-02T03:04:00+00:00"
    assert [json.loads(note) for note in notes] == [
        {"at": at, "who": "alice", "from": packaged, "to": installed},
        {"at": at, "who": "bob", "from": installed, "to": packaged},
    ]
