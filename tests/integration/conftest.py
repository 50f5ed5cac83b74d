"""Services to test, and the network for those that need one."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.databases import ON_POSTGRESQL
from tests.integration.only_sqlite import ONLY_SQLITE
from tests.integration.service import ROLES, Service
from triage.inference.registry import DEFAULT, PACKAGED, Registry

Serve = Callable[..., Service]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items if ON_POSTGRESQL else []:
        if item.path.parent == HERE and (reason := ONLY_SQLITE.get(item.nodeid.rpartition("/")[2])):
            item.add_marker(pytest.mark.skip(reason=f"SQLite only: {reason}"))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(*roles, settings=…)`` gives a running service; what a test leaves running is ended."""
    services: list[Service] = []

    def started(*roles: str, home: Path | None = None, network: bool = False, **options: Any) -> Service:
        home = home or tmp_path / f"home{len(services)}"
        if network:
            use_network(home)
        services.append(Service(home, roles or ROLES, **options))
        return services[-1].start()

    yield started
    for service in reversed(services):
        service.kill()
        print(f"--- {service.home.name}\n{service.tail()}")


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """A started service for a fixture of a whole module; it must stop cleanly, and is ended if it does not."""
    try:
        yield service.start()
        service.stop()
    finally:
        service.kill()


def use_network(home: Path) -> None:
    """The packaged bundle serves, or the one that BUNDLE names; without either the test is skipped."""
    named = os.environ.get("BUNDLE")
    if named:
        registry = Registry(home / "models")
        registry.activate(registry.install(Path(named)).bundle_id, datetime.now(UTC))
    elif not (PACKAGED / DEFAULT / "manifest.json").is_file():
        pytest.skip("no packaged bundle (triage/models/recommended); name one in BUNDLE")
