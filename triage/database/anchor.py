"""Heads of the audit chain in a file beside the database, and in memory."""

import json
import os
from datetime import datetime
from pathlib import Path

from triage.domain.audit import AuditHead
from triage.domain.errors import AuditBroken


class FileAnchor:
    """See :class:`triage.services.ports.AuditAnchor`. One JSON object a line, only ever appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def heads(self) -> list[AuditHead]:
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [self._head(number, line) for number, line in enumerate(lines, start=1)]

    def add(self, head: AuditHead, at: datetime) -> None:
        line = json.dumps({"at": at.isoformat(), "sequence": head.sequence, "digest": head.digest}) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _head(self, number: int, line: str) -> AuditHead:
        try:
            document = json.loads(line)
            return AuditHead(sequence=int(document["sequence"]), digest=str(document["digest"]))
        except (ValueError, KeyError, TypeError):
            raise AuditBroken(f"{self._path}: line {number} is no head of the audit; compare with a backup") from None


class MemoryAnchor:
    """See :class:`triage.services.ports.AuditAnchor`."""

    def __init__(self) -> None:
        self._heads: list[AuditHead] = []

    def heads(self) -> list[AuditHead]:
        return list(self._heads)

    def add(self, head: AuditHead, at: datetime) -> None:
        self._heads.append(head)
