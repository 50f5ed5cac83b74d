"""The classifier that serves: loaded anew on a change, and after a while when it could not be had."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.domain.errors import BundleError
from triage.inference import active
from triage.inference.active import ActiveClassifier
from triage.inference.registry import PACKAGED, Registry

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_the_same_object_while_nothing_changed(tmp_path: Path) -> None:
    serving = ActiveClassifier(tmp_path / "models", threads=1)
    first = serving()
    assert serving() is first


def test_a_failure_is_tried_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    registry = Registry(models)
    installed = models / registry.install(PACKAGED / "recommended").bundle_id
    (models / "active.json").write_text(
        f'{{"active": "{installed.name}", "previous": null, "activated_at": "{NOW.isoformat()}"}}', encoding="utf-8"
    )
    serving = ActiveClassifier(models, threads=1)
    serving._registry = Registry(models, packaged=tmp_path / "none")
    network = installed / "network.tflite"
    whole = network.read_bytes()
    network.write_bytes(whole[:-1])
    with pytest.raises(BundleError, match="digest"):
        serving()
    network.write_bytes(whole)
    with pytest.raises(BundleError, match="digest"):
        serving()
    monkeypatch.setattr(active, "RETRY_SECONDS", -1.0)
    assert serving().model.bundle_id == installed.name
