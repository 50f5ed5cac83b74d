"""A support bundle: how the service stands, for somebody who must not see a patient."""

import ast
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import triage
from triage.bootstrap import open_database
from triage.config import Settings, shown
from triage.database.engine import SqlDatabase
from triage.database.schema import newest, present
from triage.domain.errors import ConfigError, TriageError
from triage.domain.redaction import Redaction, vocabulary
from triage.domain.role import RoleStatus

LOG_BYTES = 32 << 20
"""So much of the end of each log goes along."""
UNIT = "triage.service"
"""Whose journal is asked where no log is named (``deploy/systemd``)."""
_PLACE = re.compile(r"(\w+://[^/?#\s]+)[^\s]*")
README = """\
A support bundle of a chest X-ray triage service, by lists of what may leave: no name, number or date of a patient, no UID,
no digest, no account, no note, no password. In sentences only the program's own words are left; a dot stands for others.
AE titles, addresses and folders of the hospital's machines are in it.
"""


def bundle(
    settings: Settings, target: Path, findings: Iterable[dict[str, str]], logs: Iterable[Path], now: datetime, since: timedelta
) -> list[str]:
    """Write it; returns the names of what is in it. What cannot be asked says why, in its place; no log: the journal's.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    redaction = _redaction(settings)
    parts = {
        "README.txt": README,
        "versions.json": _json(_asked(lambda: _versions(settings, now), redaction)),
        "settings.json": _json({name: _without_paths_in_urls(value) for name, value in shown(settings).items()}),
        "findings.json": _json([{name: redaction.words(words) for name, words in one.items()} for one in findings]),
        "standing.json": _json(_asked(lambda: _standing(settings, redaction), redaction)),
        "disk.json": _json(_asked(lambda: _disk(settings.home), redaction)),
    }
    texts = [_tail(path) for path in logs] or [_journal(now - since)]
    for number, lines in enumerate(filter(None, texts), 1):
        parts[f"log-{number}.jsonl"] = "".join(f"{line}\n" for line in redaction.lines(lines, now - since))
    try:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be made ({error.strerror}); name another file") from None
    with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in parts.items():
            written.writestr(name, text)
    return list(parts)


def _redaction(settings: Settings) -> Redaction:
    """Our own words, and the names that the settings have or that films came from."""
    given = [json.dumps(_without_paths_in_urls(value), default=str, ensure_ascii=False) for value in shown(settings).values()]
    senders: list[str] = []
    try:
        with _reading(settings) as database, database.read() as transaction:
            senders = [one.calling_ae_title for one in transaction.senders()]
    except (TriageError, OSError):
        pass  # said in its place
    return Redaction(own_words() | vocabulary([*given, *senders]))


@cache
def own_words() -> frozenset[str]:
    """Every word of this program's own texts."""
    sources = (path.read_text(encoding="utf-8") for path in Path(triage.__file__).parent.rglob("*.py"))
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    return vocabulary(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _without_paths_in_urls(value: Any) -> Any:
    """What stands behind the host of a URL can be a secret: that of a webhook often is."""
    if isinstance(value, dict):
        return {name: _without_paths_in_urls(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_paths_in_urls(one) for one in value]
    return _PLACE.sub(r"\1/…", value) if isinstance(value, str) else value


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, default=str) + "\n"


def _asked(question: Callable[[], dict[str, Any]], redaction: Redaction) -> dict[str, Any]:
    try:
        return question()
    except (TriageError, OSError) as error:
        return {"cannot be asked": redaction.words(str(error))}


def _versions(settings: Settings, now: datetime) -> dict[str, Any]:
    return {
        "made_at": now.isoformat(),
        "triage": triage.__version__,
        "schema needed": newest(),
        **_asked_database(settings),
        "python": sys.version,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": {one.name: one.version for one in sorted(metadata.distributions(), key=lambda one: one.name.lower())},
    }


def _asked_database(settings: Settings) -> dict[str, Any]:
    if not settings.has_database:
        return {"schema": None}
    with closing(open_database(settings)) as database, database.engine.connect() as connection:
        version = ".".join(map(str, connection.dialect.server_version_info or ()))
        return {"schema": present(database.engine), "database": f"{connection.dialect.name} {version}"}


def _standing(settings: Settings, redaction: Redaction) -> dict[str, Any]:
    with _reading(settings) as database:
        return dict(_rows(database, redaction))


@contextmanager
def _reading(settings: Settings) -> Iterator[SqlDatabase]:
    """The database as it is: nothing is made where nothing is."""
    if not settings.has_database:
        raise ConfigError("there is no database yet")
    with closing(open_database(settings)) as database:
        if (found := present(database.engine)) != newest():
            raise ConfigError(f"database schema is {found}, this version needs {newest()}")
        yield database


def _rows(database: SqlDatabase, redaction: Redaction) -> Iterator[tuple[str, Any]]:
    with database.read() as transaction:
        yield "unread studies by level", {str(level): number for level, number in transaction.counts_by_level().items()}
        depth = transaction.jobs.depth()
        yield "jobs by state", {"waiting": depth.waiting, "running": depth.running, "quarantined": depth.quarantined}
        yield "oldest waiting job since", depth.oldest_waiting_since
        yield "set aside", len(transaction.quarantined())
        yield "faulty films", len(transaction.faulty())
        yield "list's revision", transaction.revision()
        head = transaction.audit_head()
        yield "audit records", head.sequence if head is not None else None
        yield "database bytes", database.size_bytes()._asdict()
        yield "roles", [_role(one, redaction) for one in transaction.roles()]
        fields = ("name", "failures", "away_since", "waiting", "refused", "delivered", "superseded", "oldest_waiting")
        states = transaction.deliveries.destinations()
        yield "destinations", [{name: getattr(one, name) for name in fields} for one in states]
        runs = transaction.leases.runs().values()
        yield (
            "recurring jobs",
            {
                one.name: {
                    "started": one.started_at,
                    "ended": one.ended_at,
                    "succeeded": one.succeeded_at,
                    "error": redaction.words(one.error or ""),
                }
                for one in runs
            },
        )
        figures = sorted(transaction.figures.all().items())
        yield "figures", [[name, {label: redaction.words(text) for label, text in of}, value] for (name, of), value in figures]


def _role(one: RoleStatus, redaction: Redaction) -> dict[str, Any]:
    return {
        "role": one.role,
        "state": one.state,
        "started": one.started_at,
        "beat": one.beat_at,
        "restarts": one.restarts,
        "trouble": redaction.words(one.trouble or ""),
        "model": one.model,
        "memory kB": _resident(one.pid),
    }


def _resident(pid: int) -> int | None:
    """What a process of this machine holds in memory; ``None``: it is none, or another's."""
    try:
        words = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(words["VmRSS"].split()[0])
    except (OSError, KeyError, ValueError):
        return None


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


def _journal(since: datetime) -> list[str]:
    """What the journal of systemd has of the service; nothing where there is none."""
    program = shutil.which("journalctl")
    if program is None:
        return []
    asked = ["--unit", UNIT, "--output", "cat", "--no-pager", "--since", f"@{int(since.timestamp())}"]
    try:
        done = subprocess.run([program, *asked], capture_output=True, check=False, timeout=60)  # noqa: S603 - no shell
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout[-LOG_BYTES:].decode("utf-8", "replace").splitlines()
