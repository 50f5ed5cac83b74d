"""Heat maps: each film opened in a child of its own, the network at work in a process of its own that no film reaches.

Off unless the settings say otherwise: a triage aid marks the case, not the place (21 CFR 892.2080).
"""

import math
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from triage.domain.errors import BundleError, DeadlyFilm, FilmsUnavailable, NotEligible, PixelError
from triage.domain.opinion import judge
from triage.domain.reason import Reason
from triage.imaging.eligibility import Intended
from triage.imaging.spec import PreprocessingSpec
from triage.sandbox.child import Child
from triage.sandbox.films import SandboxFilms
from triage.sandbox.server import Task, Tell, serve
from triage.web.previews import Films, taken_out
from triage.web.shelf import Busy, Shelf

CAUTION = "Where the network's score depended on the film. Not a finding, not a place to look. Not for diagnostic use."
"""Stands wherever a heat map is shown, and goes with each one."""
LEVELS = (round(math.log(4 / 3), 4), round(math.log(2), 4))
"""From which change of the log odds on a square is drawn, lightly and heavily: the odds a quarter lower, and half as high."""
DEADLINE_SECONDS = 30.0
FILM_SECONDS = 10.0
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
        command = command or (sys.executable, "-m", __name__, str(rules.models))
        self._network = Child(deadline_seconds, 0, command, grace_seconds=0)
        self._opened = SandboxFilms()
        self._rules = rules
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
            bundle, spec = self._network.ask({"do": "bundle"}, b"", _served)
            return self._shelf.get(f"{digest} {bundle}", lambda: self._make(digest, received_on, bundle, spec))
        except (FilmsUnavailable, DeadlyFilm) as error:
            raise Busy(str(error)) from None
        finally:
            self._places.release()

    def close(self) -> None:
        """Forget all and end the children."""
        self._network.close()
        self._opened.close()
        self._shelf.clear()

    def _make(self, digest: str, received_on: date, bundle: str, spec: PreprocessingSpec) -> HeatMap:
        intended = Intended(self._rules.min_age_years, received_on)
        with taken_out(self._films, digest) as film:
            prepared = self._opened.prepare(film, spec, intended, FILM_SECONDS)
        if prepared.by_tags or prepared.tensor is None:
            raise PixelError(prepared.by_tags or prepared.by_pixels or Reason.CANNOT_DECODE)
        return self._network.ask({"do": "map", "bundle_id": bundle}, prepared.tensor.tobytes(), understood)


def _served(answer: dict[str, Any], _: list[bytes]) -> tuple[str, PreprocessingSpec]:
    """The bundle that serves, and how films are preprocessed for it."""
    _raise_reason(answer)
    return str(answer["bundle_id"]), PreprocessingSpec.from_dict(answer["spec"])


def _raise_reason(answer: dict[str, Any]) -> None:
    if "reason" in answer:
        raise PixelError(Reason.from_code(answer["reason"]))


def understood(answer: dict[str, Any], _: list[bytes]) -> HeatMap:
    """The map that a child says; any error: it says none."""
    _raise_reason(answer)
    values = tuple(tuple(float(value) for value in row) for row in answer["values"])
    probability = float(answer["probability"])
    if len({len(row) for row in values}) != 1 or not all(math.isfinite(value) for row in values for value in row):
        raise ValueError("no map")
    if not 0 <= probability <= 1:
        raise ValueError("no probability")
    return HeatMap(values=values, probability=probability, model=str(answer["model"]), bundle_id=str(answer["bundle_id"]))


def mapper(models: Path) -> Mapping[str, Task]:
    """What the network's process does: it names the bundle that serves, and maps a tensor by it.

    The network is imported here and nowhere else: the web process itself never holds one.
    """
    from triage.inference.active import ActiveClassifier
    from triage.inference.classifier import LiteRtClassifier
    from triage.inference.occlusion import occlusion

    active = ActiveClassifier(models, threads=1)

    def serving() -> LiteRtClassifier:
        try:
            return active()
        except BundleError:
            raise NotEligible(Reason.NO_MODEL) from None

    def bundle(question: dict[str, Any], _: BinaryIO, tell: Tell) -> None:
        classifier = serving()
        tell({"bundle_id": classifier.model.bundle_id, "spec": classifier.spec.as_dict()}, [])

    def heat_map(question: dict[str, Any], given: BinaryIO, tell: Tell) -> None:
        classifier = serving()
        model, spec = classifier.model, classifier.spec
        if model.bundle_id != question["bundle_id"]:  # activated meanwhile: the tensor may be another network's
            raise NotEligible(Reason.NO_MODEL)
        tensor = np.frombuffer(given.read(), np.float32).reshape(spec.height, spec.width, 1)
        refusal = judge(None, classifier.opinion(tensor))
        if refusal is not None:
            raise NotEligible(refusal.reason)
        values = occlusion(classifier, tensor).round(4).tolist()
        told = {"bundle_id": model.bundle_id, "model": model.label, "values": values}
        tell({**told, "probability": classifier.probability(tensor)}, [])

    return {"bundle": bundle, "map": heat_map}


if __name__ == "__main__":
    serve(mapper(Path(sys.argv[1])), forks=False)
