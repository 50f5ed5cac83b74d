"""Which bundles there are and which one is active: a directory and one small file, changed by rename only.

``<models>/<bundle id>/`` an installed bundle, never changed · ``<models>/<bundle id>.promotion.json`` the gate's record of it ·
``<models>/active.json`` {active, previous, activated_at} · ``<models>/activations.jsonl`` who changed the choice, when, from
which bundle to which: one line each, only appended to.
Bundles packaged with the project need no installing. Without ``active.json`` the packaged ``recommended`` one serves.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from triage.domain.bundle import Card, Entry, Proof
from triage.domain.errors import BundleError
from triage.domain.identifiers import digest_of, is_digest
from triage.inference.bundle import open_bundle
from triage.inference.cards import card_of, promotion_of, take_record_along

PACKAGED = Path(__file__).resolve().parent.parent / "models"
"""Bundles that come with the project, each in a directory of its own name."""
DEFAULT = "recommended"

Signature = tuple[tuple[int, int], ...]
Prove = Callable[[Path, Path], Proof]


def _prove(path: Path, packaged: Path) -> Proof:
    from triage.inference.proof import prove  # LiteRT: loaded where a bundle is proved, not where bundles are listed

    return prove(path, packaged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """What ``active.json`` says. ``previous``: where :meth:`Registry.rollback` leads."""

    active: str
    previous: str | None
    activated_at: str


class Registry:
    """The bundles of one home. Every change is atomic and durable; readers need no lock. ``prove``: how a bundle is tried."""

    def __init__(self, models: Path, packaged: Path = PACKAGED, prove: Prove = _prove) -> None:
        self._models = models
        self._packaged = packaged
        self._tried = prove

    def entries(self) -> list[Entry]:
        """Every bundle, packaged ones first; a damaged one is left out (loading it says why)."""
        found = []
        for path in self._paths():
            try:
                found.append(self._entry(path))
            except BundleError:
                continue
        return found

    def card(self, bundle_id: str) -> Card:
        """A bundle with what it says of itself, by its id or at least eight leading digits of it.

        Raises:
            BundleError: none, several, or it is damaged.
        """
        path = self.find(bundle_id)
        return card_of(path, self._entry(path))

    def named(self, name: str) -> Path:
        """The directory of a bundle by what the list calls it, ``NAME`` or ``NAME@VERSION``; else as :meth:`find` does.

        Raises:
            BundleError: none, or several: the id tells them apart.
        """
        matches = {one.bundle_id for one in self.entries() if name in (one.name, f"{one.name}@{one.version}")}
        if len(matches) > 1:
            raise BundleError(f"{len(matches)} bundles are called that; give the id of one; see: triage models list")
        return self.find(matches.pop() if matches else name)

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

    def signature(self) -> Signature:
        """What a change of bundle changes: inode and time of the choice and of the directory."""
        stamps = []
        for path in (self._models, self._models / "active.json"):
            try:
                stat = os.stat(path)
                stamps.append((stat.st_ino, stat.st_mtime_ns))
            except OSError:
                stamps.append((0, 0))
        return tuple(stamps)

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
            take_record_along(source, target, bundle_id)
            return proof
        part = Path(mkdtemp(prefix=".installing-", dir=self._models))
        try:
            copy = part / bundle_id
            shutil.copytree(source, copy)
            if open_bundle(copy).model.bundle_id != bundle_id:
                raise BundleError("the bundle changed while it was copied; install it again")
            for path in [*copy.rglob("*"), copy]:
                _sync(path)
            take_record_along(source, target, bundle_id)
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

    def _entry(self, path: Path) -> Entry:
        model, choice, bundle_id = open_bundle(path).model, self._choice(), _id(path)
        serves = path == self._serving_path()
        promotion, fault = promotion_of(path, bundle_id)
        return Entry(
            bundle_id=bundle_id,
            name=model.name,
            version=model.version,
            packaged=path.parent == self._packaged,
            active=serves,
            active_since=choice.activated_at if choice and serves else None,
            previous=choice is not None and choice.previous == bundle_id,
            promotion=promotion,
            promotion_fault=fault,
        )

    def _prove(self, path: Path) -> Proof:
        return self._tried(path, self._packaged / DEFAULT)

    def _choice(self) -> Active | None:
        try:
            return self.active()
        except BundleError:
            return None

    def _serving_path(self) -> Path | None:
        try:
            return self.active_path()
        except BundleError:  # a damaged choice must not keep anybody from choosing again
            return None

    def _serving(self) -> str | None:
        path = self._serving_path()
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
