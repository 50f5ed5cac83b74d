"""Bundles as the pages see them: listed here, proved and chosen in a process of its own.

A network that is tried can be slow, large, or kill the interpreter that loads it; the pages must not notice. The child takes
its order as arguments and answers with one line of JSON.
"""

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from triage.domain.bundle import Card, Entry, Proof
from triage.domain.errors import BundleError
from triage.inference.cards import card_of
from triage.inference.registry import PACKAGED, Registry, Signature

DEADLINE_SECONDS = 120.0


class BundlesApart:
    """See :class:`triage.services.models.Bundles`. One change at a time."""

    def __init__(self, models: Path, packaged: Path = PACKAGED, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._models = models
        self._packaged = packaged
        self._registry = Registry(models, packaged)
        self._deadline = deadline_seconds
        self._changing = threading.Lock()
        self._listed: tuple[Signature, list[Entry]] | None = None

    def entries(self) -> list[Entry]:
        """See :class:`triage.services.models.Bundles`. Read anew when something changed: checking a bundle takes a while."""
        now, known = self._registry.signature(), self._listed
        if known is None or known[0] != now:
            known = self._listed = (now, self._registry.entries())
        return list(known[1])

    def fault(self) -> str | None:
        """See :class:`triage.services.models.Bundles`."""
        try:
            self._registry.active_path()
        except BundleError as error:
            return str(error)
        return None

    def card(self, bundle_id: str) -> Card:
        """See :class:`triage.services.models.Bundles`."""
        path = self._registry.find(bundle_id)
        known = next((one for one in self.entries() if one.bundle_id.startswith(bundle_id)), None)
        return card_of(path, known) if known else self._registry.card(bundle_id)  # which says what is damaged

    def activate(self, bundle_id: str, now: datetime, who: str) -> Proof:
        """See :class:`triage.services.models.Bundles`."""
        return self._change("activate", bundle_id, now, who)

    def rollback(self, now: datetime, who: str) -> Proof:
        """See :class:`triage.services.models.Bundles`."""
        return self._change("rollback", "", now, who)

    def _change(self, step: str, bundle_id: str, now: datetime, who: str) -> Proof:
        if not self._changing.acquire(blocking=False):
            raise BundleError("another bundle is being tried at this moment; wait for its outcome")
        try:
            order = (step, str(self._models), str(self._packaged), bundle_id, now.isoformat(), who)
            done = subprocess.run(  # noqa: S603 - our own argument list, no shell
                (sys.executable, "-m", __name__, *order),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=self._deadline,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BundleError(
                f"the bundle was not proved within {self._deadline:.0f} s; what served before serves on"
            ) from None
        finally:
            self._changing.release()
        try:
            answer = json.loads(done.stdout)
            if "refused" in answer:
                raise BundleError(answer["refused"])
            return Proof(**answer)
        except (ValueError, KeyError, TypeError):
            raise BundleError(f"the bundle could not be tried (exit code {done.returncode}); look at the list again") from None


def _main(step: str, models: str, packaged: str, bundle_id: str, now: str, who: str) -> None:
    from triage.inference.proof import prove  # the parent lists bundles and never loads LiteRT

    proofs: list[Proof] = []

    def noted(path: Path, reference: Path) -> Proof:
        proofs.append(prove(path, reference))
        return proofs[-1]

    registry = Registry(Path(models), Path(packaged), noted)
    try:
        if step == "activate":
            registry.activate(bundle_id, datetime.fromisoformat(now), who)
        else:
            registry.rollback(datetime.fromisoformat(now), who)
        answer = asdict(proofs[-1])
    except BundleError as error:
        answer = {"refused": str(error)}
    except OSError as error:
        answer = {"refused": f"the models directory cannot be written ({error.strerror})"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main(*sys.argv[1:])
