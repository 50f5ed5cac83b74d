"""Another bundle is activated while a study is being assessed: the study keeps its network, the next one gets the new one."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tests import films
from tests.unit.inference.conftest import change
from tests.unit.services.world import World
from triage.archive.memory import MemoryArchive
from triage.inference.active import ActiveClassifier
from triage.inference.registry import Registry

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Interrupting(MemoryArchive):
    """Something happens when a film is fetched for assessment."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def open(self, digest: str) -> BinaryIO:
        self.meanwhile()
        return super().open(digest)


class Site(World):
    """The worker with the networks of a models directory."""

    def __init__(self, models: Path, archive: Interrupting) -> None:
        self.load = ActiveClassifier(models, threads=1)  # type: ignore[method-assign]
        super().__init__(archive=archive)


def test_a_film_in_flight_keeps_its_network(tmp_path: Path, bundle: Path) -> None:
    registry, archive = Registry(tmp_path / "models"), Interrupting()
    change(bundle, "manifest.json", version="2.0.0")
    second = registry.install(bundle).bundle_id
    site = Site(tmp_path / "models", archive)
    for number, bright in ((1, 0.3), (2, 0.6)):
        site.store(films.film(f"1.{number}", f"1.{number}.1.1", bright=bright))
        site.clock.forward(minutes=1)

    archive.meanwhile = lambda: registry.activate(second, NOW)
    assert site.step()
    archive.meanwhile = lambda: None
    assert site.step()

    before, after = site.study("1.1").model, site.study("1.2").model
    assert before
    assert after == f"recommended@2.0.0+{second[:8]}"
    assert before != after
    assert registry.rollback(NOW)[:8] == before[-8:]
