"""Which bundles there are and which one is active: a directory and one small file, changed by rename only.

``<models>/<bundle id>/`` an installed bundle, never changed · ``<models>/active.json`` {active, previous, activated_at} ·
``<models>/activations.jsonl`` who changed the choice, when, from which bundle to which: one line each, only appended to.
Bundles packaged with the project need no installing. Without ``active.json`` the packaged ``recommended`` one serves.
"""

import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from triage.domain.errors import BundleError
from triage.domain.identifiers import digest_of, is_digest
from triage.inference.bundle import open_bundle
from triage.inference.proof import Proof, prove

PACKAGED = Path(__file__).resolve().parent.parent / "models"
"""Bundles that come with the project, each in a directory of its own name."""
DEFAULT = "recommended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A bundle as a list shows it. ``active_since``: ISO 8601; ``None`` unless somebody chose it and it is active."""

    bundle_id: str
    name: str
    version: str
    path: Path
    packaged: bool
    active: bool
    active_since: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """What ``active.json`` says. ``previous``: where :meth:`Registry.rollback` leads."""

    active: str
    previous: str | None
    activated_at: str


class Registry:
    """The bundles of one home. Every change is atomic and durable; readers need no lock."""

    def __init__(self, models: Path, packaged: Path = PACKAGED) -> None:
        self._models = models
        self._packaged = packaged

    def entries(self) -> list[Entry]:
        """Every bundle, packaged ones first; a damaged one is left out (loading it says why)."""
        active, choice = self.active_path(), self.active()
        found = []
        for path in self._paths():
            try:
                model = open_bundle(path).model
            except BundleError:
                continue
            found.append(
                Entry(
                    bundle_id=model.bundle_id,
                    name=model.name,
                    version=model.version,
                    path=path,
                    packaged=path.parent == self._packaged,
                    active=path == active,
                    active_since=choice.activated_at if choice and path == active else None,
                )
            )
        return found

    def find(self, bundle_id: str) -> Path:
        """The directory of a bundle, by its id or at least eight leading digits of it.

        Raises:
            BundleError: none, or several.
        """
        matches = [path for path in self._paths() if len(bundle_id) >= 8 and _id(path).startswith(bundle_id)]
        if not matches:
            raise BundleError(f"no bundle {bundle_id[:12]} is installed; see: triage models list")
        if len({_id(path) for path in matches}) > 1:
            raise BundleError(f"several bundles begin with {bundle_id[:12]}; give more digits")
        return matches[0]

    def active(self) -> Active | None:
        """The choice that was made, or ``None``: none was.

        Raises:
            BundleError: ``active.json`` is damaged.
        """
        try:
            value = json.loads((self._models / "active.json").read_text(encoding="utf-8"))
            choice = Active(active=value["active"], previous=value["previous"], activated_at=value["activated_at"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise BundleError("active.json is damaged; choose again: triage models activate ID") from None
        return choice

    def active_path(self) -> Path | None:
        """The directory of the bundle that serves, or ``None``: there is none.

        Raises:
            BundleError: ``active.json`` is damaged or names a bundle that is gone.
        """
        choice = self.active()
        if choice is not None:
            return self.find(choice.active)
        default = self._packaged / DEFAULT
        return default if (default / "manifest.json").is_file() else None

    def install(self, source: Path) -> Proof:
        """Verify a bundle wholly, golden and reference films included, and copy it in. Installed already: fine.

        Raises:
            BundleError: the bundle is refused, or the copy differs.
        """
        proof = self._prove(source)
        bundle_id = proof.bundle_id
        target = self._models / bundle_id
        self._models.mkdir(parents=True, exist_ok=True)
        if target.exists():
            open_bundle(target)
            return proof
        part = Path(mkdtemp(prefix=".installing-", dir=self._models))
        try:
            copy = part / bundle_id
            shutil.copytree(source, copy)
            if open_bundle(copy).model.bundle_id != bundle_id:
                raise BundleError("the bundle changed while it was copied; install it again")
            for path in [*copy.rglob("*"), copy]:
                _sync(path)
            copy.rename(target)
            _sync(self._models)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return proof

    def activate(self, bundle_id: str, now: datetime, who: str | None = None) -> str:
        """Make a bundle the one that serves, after a full proof; returns its id. The one before is kept for rollback.

        ``who`` is noted beside the change.

        Raises:
            BundleError: unknown or refused; nothing has changed.
        """
        path = self.find(bundle_id)
        chosen = self._prove(path).bundle_id
        before = self._serving()
        if before != chosen:
            self._note({"at": now.isoformat(), "who": who, "from": before, "to": chosen})
            self._choose(Active(active=chosen, previous=before, activated_at=now.isoformat()))
        return chosen

    def rollback(self, now: datetime, who: str | None = None) -> str:
        """Return to the bundle that served before; returns its id. Twice: back again.

        Raises:
            BundleError: there was none before, or it is refused.
        """
        choice = self.active()
        if choice is None or choice.previous is None:
            raise BundleError("no bundle was active before; see: triage models list")
        return self.activate(choice.previous, now, who)

    def _prove(self, path: Path) -> Proof:
        return prove(path, self._packaged / DEFAULT)

    def _serving(self) -> str | None:
        try:
            path = self.active_path()
        except BundleError:  # a damaged choice must not keep anybody from choosing again
            return None
        return _id(path) if path else None

    def _note(self, change: dict[str, str | None]) -> None:
        # before the choice is made: better a change that was noted and failed than one that nobody noted
        self._models.mkdir(parents=True, exist_ok=True)
        notes = self._models / "activations.jsonl"
        with notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps(change) + "\n")
        _sync(notes)

    def _choose(self, choice: Active) -> None:
        self._models.mkdir(parents=True, exist_ok=True)
        part = self._models / "active.json.part"
        text = {"active": choice.active, "previous": choice.previous, "activated_at": choice.activated_at}
        part.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
        _sync(part)
        part.rename(self._models / "active.json")
        _sync(self._models)

    def _paths(self) -> list[Path]:
        packaged = sorted(self._packaged.iterdir()) if self._packaged.is_dir() else []
        installed = [path for path in sorted(self._models.iterdir()) if is_digest(path.name)] if self._models.is_dir() else []
        return [path for path in [*packaged, *installed] if (path / "manifest.json").is_file()]


def _id(path: Path) -> str:
    return digest_of((path / "manifest.json").read_bytes())


def _sync(path: Path) -> None:
    """Make a file, or a directory's entries, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
