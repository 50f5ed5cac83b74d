"""A sabotaged bundle is refused, 12 kinds of 12, by the full way in, with its reason; what serves goes on serving."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.inference.conftest import change
from tests.unit.inference.sabotage import SABOTAGES, flipped_labels
from triage.domain.errors import BundleError
from triage.inference.bundle import open_bundle
from triage.inference.registry import Registry

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def valid(labelled: Path, tmp_path: Path) -> Path:
    """A bundle beside the packaged one, untouched, that came from elsewhere."""
    bundle = Path(shutil.copytree(labelled, tmp_path / "valid"))
    change(bundle, "manifest.json", version="2.0.0")
    return bundle


def test_twelve_of_twelve_are_refused_and_the_choice_stays(valid: Path, labelled: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    registry = Registry(models, packaged=labelled.parent)
    untouched = registry.install(valid)
    assert untouched.references >= 4
    assert untouched.left_out is None
    registry.activate(untouched.bundle_id, NOW)
    before = {path.relative_to(models): path.read_bytes() for path in models.rglob("*") if path.is_file()}

    reasons = {}
    for kind, (spoil, reason) in SABOTAGES.items():
        spoilt = Path(shutil.copytree(valid, tmp_path / "spoilt" / kind))
        spoil(spoilt)
        with pytest.raises(BundleError, match=reason) as refusal:
            registry.install(spoilt)
        reasons[kind] = str(refusal.value)
        assert "\n" not in reasons[kind]
        assert {path.relative_to(models): path.read_bytes() for path in models.rglob("*") if path.is_file()} == before
        assert registry.active_path() == models / untouched.bundle_id

    print(f"\nrefused: {len(reasons)} of {len(SABOTAGES)}")
    for kind, told in reasons.items():
        print(f"{kind:20} {told}")
    assert len(reasons) == 12


def test_one_that_was_installed_before_is_not_activated_either(valid: Path, labelled: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    registry = Registry(models, packaged=labelled.parent)
    flipped_labels(valid)
    spoilt = open_bundle(valid).model.bundle_id
    shutil.copytree(valid, models / spoilt)
    with pytest.raises(BundleError, match="flipped labels"):
        registry.activate(spoilt, NOW)
    assert registry.active_path() == labelled
    assert [path.name for path in models.iterdir()] == [spoilt]
