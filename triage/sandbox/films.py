"""What the worker asks: each film's tags and tensor, opened in a child of its own."""

from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from triage.domain.errors import FilmsUnavailable
from triage.domain.reason import Reason
from triage.imaging.eligibility import Intended
from triage.imaging.prepare import Prepared
from triage.imaging.spec import PreprocessingSpec
from triage.sandbox.child import Child

DEADLINE_SECONDS = 10.0
MOST_BYTES = 4 * 2048 * 2048 + (1 << 16)
"""The largest tensor of any spec, and a few lines."""


class SandboxFilms:
    """See :class:`triage.services.ports.Films`. The fork server starts with :meth:`start`, else with the first film."""

    def __init__(self, child: Child | None = None) -> None:
        self._child = child or Child(DEADLINE_SECONDS, MOST_BYTES)

    def start(self) -> None:
        """Let the fork server load its libraries now; does not wait for it."""
        with suppress(FilmsUnavailable):  # the first film tells
            self._child.start()

    def ready(self) -> bool:
        """See :class:`triage.services.ports.Films`.

        Raises:
            FilmsUnavailable: no fork server starts; says why.
        """
        return self._child.ready()

    def close(self) -> None:
        """End the fork server and what it does."""
        self._child.close()

    def protections(self) -> list[str]:
        """Those of :data:`triage.sandbox.limits.PROTECTIONS` that bind a child on this machine, as one of them tells.

        Raises:
            FilmsUnavailable, PixelError: no child answers.
        """
        return self._child.ask({"do": "protections"}, b"", lambda answer, _: [str(name) for name in answer["protections"]])

    def prepare(self, stream: BinaryIO, spec: PreprocessingSpec, intended: Intended, within_seconds: float) -> Prepared:
        """See :class:`triage.services.ports.Films`.

        Raises:
            FilmsUnavailable: no fork server starts, forks or lives; the film is not at fault.
            DeadlyFilm: fork servers die of this film, not without it; the attempt counts.
        """
        question = {
            "do": "prepare",
            "spec": spec.as_dict(),
            "min_age_years": intended.min_age_years,
            "received_on": intended.received_on.isoformat() if intended.received_on else None,
        }
        return self._child.ask(question, stream, partial(_prepared, spec), within_seconds)


def _prepared(spec: PreprocessingSpec, answer: dict[str, Any], parts: list[bytes]) -> Prepared:
    by_tags = Reason.from_code(answer["by_tags"]) if answer.get("by_tags") is not None else None
    if "reason" in answer:
        return Prepared(by_tags=by_tags, by_pixels=Reason.from_code(answer["reason"]))
    (data,) = parts
    tensor = np.frombuffer(data, "<f4").reshape(spec.height, spec.width, 1).astype(np.float32)
    if not (np.isfinite(tensor).all() and tensor.min() >= 0 and tensor.max() <= 1):
        raise ValueError("no input tensor")
    return Prepared(by_tags=by_tags, tensor=tensor)
