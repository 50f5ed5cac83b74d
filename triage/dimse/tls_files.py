"""The files that DICOM TLS needs: where they lie, whether they changed, who may read the key."""

import os
import stat
from dataclasses import dataclass, fields
from pathlib import Path

from triage.domain.errors import ConfigError

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Our certificate and key, the authorities that are believed, their revocation lists (``None``: none are kept); PEM."""

    certificate: Path
    key: Path
    ca: Path
    crl: Path | None = None

    def stamp(self) -> Stamp:
        """What changes when a file or its permissions do: change time, size and inode of each."""
        return tuple(_stamp(getattr(self, one.name)) for one in fields(self))

    def read(self, name: str) -> bytes:
        """One of the files; ``name``: as the settings have it.

        Raises:
            ConfigError: it cannot be read.
        """
        path: Path = getattr(self, name)
        try:
            return path.read_bytes()
        except OSError as error:
            denied = isinstance(error, PermissionError)
            remedy = "let the service's user read it (chown)" if denied else "make it with triage tls init, or name another"
            raise ConfigError(f"dimse.tls.{name}: {path}: {error.strerror}; {remedy}") from None

    def check_key_is_private(self) -> None:
        """Nobody but its owner may read the key; its group may where root owns it, as where secrets are mounted.

        Raises:
            ConfigError: others may.
        """
        self.read("key")
        found = self.key.stat()
        allowed = 0o640 if found.st_uid == 0 and os.getuid() != 0 else 0o600
        if stat.S_IMODE(found.st_mode) & ~allowed & 0o077:
            raise ConfigError(f"dimse.tls.key: {self.key} can be read by others; run: chmod 600 {self.key}")


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_ctime_ns, found.st_size, found.st_ino) if found is not None else None
