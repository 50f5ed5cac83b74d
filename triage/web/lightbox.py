"""Making heat maps in a process of its own (:mod:`triage.web.child`), the only one of the web role that runs the network.

Off unless the settings say otherwise: a triage aid marks the case, not the place (21 CFR 892.2080).
"""

import math
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from triage.web.child import Child, Said, work
from triage.web.previews import Films, taken_out
from triage.web.shelf import Busy, Shelf

CAUTION = "Where the network's score depended on the film. Not a finding, not a place to look. Not for diagnostic use."
"""Stands wherever a heat map is shown, and goes with each one."""
LEVELS = (round(math.log(4 / 3), 4), round(math.log(2), 4))
"""From which change of the log odds on a square is drawn, lightly and heavily: the odds a quarter lower, and half as high."""
DEADLINE_SECONDS = 30.0
CAPACITY_BYTES = 1 << 20
WAITING = 4
"""Requests that may wait for a map at the same time; each holds a thread that the list needs as well."""
_SIZE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """``values``: see :func:`triage.inference.occlusion.occlusion`; the probability and the network they are of."""

    values: tuple[tuple[float, ...], ...]
    probability: float
    model: str
    bundle_id: str

    @property
    def size_bytes(self) -> int:
        """How much room it takes, about."""
        return _SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where the bundles lie, and whose films are assessed (:func:`triage.imaging.eligibility.examine`)."""

    models: Path
    min_age_years: int


class Lightbox:
    """Heat maps of kept films, each made once for a bundle. Thread-safe; one is made at a time."""

    def __init__(
        self, films: Films, rules: Rules, deadline_seconds: float = DEADLINE_SECONDS, command: tuple[str, ...] | None = None
    ) -> None:
        command = command or (sys.executable, "-m", __name__, str(rules.models), str(rules.min_age_years))
        self._child = Child(command, deadline_seconds, most_bytes=0)
        self._films = films
        self._shelf: Shelf[HeatMap] = Shelf(CAPACITY_BYTES, WAITING)
        self._places = threading.BoundedSemaphore(WAITING)

    def of(self, digest: str, received_on: date) -> HeatMap:
        """The heat map of a kept film by the bundle that serves now.

        Raises:
            PixelError: there is none: the film is not assessed, no bundle serves, or it took too long; with the reason.
            Busy: try again in a second.
        """
        if not self._places.acquire(blocking=False):
            raise Busy("too many heat maps are being made")
        try:
            bundle = self._child.ask({}, b"", lambda answer, _: str(answer["bundle_id"]))
            return self._shelf.get(f"{digest} {bundle}", lambda: self._make(digest, received_on))
        finally:
            self._places.release()

    def close(self) -> None:
        """Forget all and end the child."""
        self._child.close()
        self._shelf.clear()

    def _make(self, digest: str, received_on: date) -> HeatMap:
        return self._child.ask({"received_on": received_on.isoformat()}, taken_out(self._films, digest), understood)


def understood(answer: dict[str, Any], _: list[bytes]) -> HeatMap:
    """The map that a child says; any error: it says none."""
    values = tuple(tuple(float(value) for value in row) for row in answer["values"])
    probability = float(answer["probability"])
    if len({len(row) for row in values}) != 1 or not all(math.isfinite(value) for row in values for value in row):
        raise ValueError("no map")
    if not 0 <= probability <= 1:
        raise ValueError("no probability")
    return HeatMap(values=values, probability=probability, model=str(answer["model"]), bundle_id=str(answer["bundle_id"]))


def mapper(models: Path, min_age_years: int) -> Callable[[dict[str, Any], bytes], Said]:
    """What the child does: without a film it names the bundle that serves, with one it maps it.

    The network is imported here and nowhere else: the web process itself never holds one.
    """
    from triage.domain.errors import BundleError, NotEligible
    from triage.domain.reason import Reason
    from triage.imaging.eligibility import examine
    from triage.imaging.header import read_dataset
    from triage.imaging.preprocess import preprocess
    from triage.inference.active import ActiveClassifier
    from triage.inference.occlusion import occlusion

    active = ActiveClassifier(models, threads=1)

    def answer(question: dict[str, Any], film: bytes) -> Said:
        try:
            classifier = active()
        except BundleError:
            raise NotEligible(Reason.NO_MODEL) from None
        told = {"bundle_id": classifier.model.bundle_id, "model": classifier.model.label}
        if not film:
            return told, []
        dataset = read_dataset(BytesIO(film))
        reason = examine(dataset, min_age_years, date.fromisoformat(question["received_on"]))
        if reason is not None:
            raise NotEligible(reason)
        tensor = preprocess(dataset, classifier.spec)
        values = occlusion(classifier, tensor).round(4).tolist()
        return {**told, "probability": classifier.probability(tensor), "values": values}, []

    return answer


if __name__ == "__main__":
    work(mapper(Path(sys.argv[1]), int(sys.argv[2])))
