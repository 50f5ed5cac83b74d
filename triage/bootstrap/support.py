"""A support bundle: how the service stands, for somebody who must not see a patient."""

import json
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from triage import __version__
from triage.bootstrap import Site, open_database, open_site
from triage.config import Settings, shown
from triage.database.schema import newest, present
from triage.domain.errors import ConfigError, TriageError
from triage.domain.redaction import redacted, without_identifiers

LOG_BYTES = 32 << 20
"""So much of the end of each log goes along."""
README = """\
A support bundle of a chest X-ray triage service, by a list of what may leave: no name, number or date of a patient, no UID,
no digest, no account, no note, no password. AE titles, addresses and folders of the hospital's machines are in it.
"""


def bundle(
    settings: Settings, target: Path, findings: Iterable[dict[str, str]], logs: Iterable[Path], now: datetime
) -> list[str]:
    """Write it; returns the names of what is in it. What cannot be asked says why, in its place.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    parts = {
        "README.txt": README,
        "versions.json": _json(_asked(lambda: _versions(settings, now))),
        "settings.json": _json(shown(settings)),
        "findings.json": _json([{name: without_identifiers(words) for name, words in one.items()} for one in findings]),
        "standing.json": _json(_asked(lambda: _standing(settings))),
        "disk.json": _json(_asked(lambda: _disk(settings.home))),
    }
    for number, path in enumerate(logs, 1):
        parts[f"log-{number}.jsonl"] = "".join(f"{line}\n" for line in redacted(_tail(path)))
    try:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be made ({error.strerror}); name another file") from None
    with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in parts.items():
            written.writestr(name, text)
    return list(parts)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, default=str) + "\n"


def _asked(question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return question()
    except (TriageError, OSError) as error:
        return {"cannot be asked": without_identifiers(str(error))}


def _versions(settings: Settings, now: datetime) -> dict[str, Any]:
    database = open_database(settings)
    try:
        revision = present(database.engine)
    finally:
        database.close()
    return {
        "made_at": now.isoformat(),
        "triage": __version__,
        "schema": revision,
        "schema needed": newest(),
        "python": sys.version,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": {one.name: one.version for one in sorted(metadata.distributions(), key=lambda one: one.name.lower())},
    }


def _standing(settings: Settings) -> dict[str, Any]:
    site = open_site(settings)
    try:
        return _rows(site)
    finally:
        site.database.close()


def _rows(site: Site) -> dict[str, Any]:
    with site.database.read() as transaction:
        return {
            "unread studies by level": {str(level): number for level, number in transaction.counts_by_level().items()},
            "set aside": len(transaction.quarantined()),
            "faulty films": len(transaction.faulty()),
            "list's revision": transaction.revision(),
            "roles": [
                {
                    "role": one.role,
                    "state": one.state,
                    "started": one.started_at,
                    "beat": one.beat_at,
                    "restarts": one.restarts,
                    "trouble": without_identifiers(one.trouble or ""),
                    "model": one.model,
                }
                for one in transaction.roles()
            ],
            "jobs": {
                name: {
                    "started": run.started_at,
                    "ended": run.ended_at,
                    "succeeded": run.succeeded_at,
                    "error": without_identifiers(run.error or ""),
                }
                for name, run in transaction.leases.runs().items()
            },
            "figures": sorted([*map(str, key), value] for key, value in transaction.figures.all().items()),
        }


def _disk(home: Path) -> dict[str, Any]:
    usage = shutil.disk_usage(home)
    files = {path.name: path.stat().st_size for path in sorted(home.glob("triage.db*")) if path.is_file()}
    incoming = home / "instances" / "incoming"
    return {
        "free": usage.free,
        "total": usage.total,
        "database": files,
        "incoming": sum(1 for _ in incoming.iterdir()) if incoming.is_dir() else None,
        "memory": Path("/proc/meminfo").read_text().splitlines()[:3] if Path("/proc/meminfo").exists() else None,
    }


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
