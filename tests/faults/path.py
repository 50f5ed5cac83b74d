"""The whole path of one object, in a process of its own that may die of it."""

import multiprocessing
import os
import resource
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.archive.memory import MemoryArchive
from triage.domain.assessment import Assessment
from triage.domain.errors import PixelError
from triage.domain.instance import Instance
from triage.imaging.codecs import decode_frame
from triage.imaging.header import read_dataset
from triage.inference.load import load_classifier
from triage.inference.registry import PACKAGED
from triage.services.assess import assess
from triage.services.ports import Classifier

DEADLINE_S = 120.0
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one object. ``reason``: why it has no probability; ``killed`` and ``raised …`` are never to be.

    ``difference``: the largest of its stored values from those of the whole film, ``None`` where there are none.
    """

    reason: str | None = None
    probability: float | None = None
    flagged: bool = False
    difference: int | None = None


def assessed(data: bytes, classifier: Classifier) -> Outcome:
    """Through :func:`triage.services.assess.assess`, as the worker does it."""
    instance = Instance(
        sop_instance_uid="1.2.3.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        series_instance_uid="1.2.3.2",
        study_instance_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        digest="0" * 64,
        size_bytes=len(data),
        calling_ae_title="FAULTS",
        received_at=NOW,
    )
    archive = MemoryArchive()
    archive.objects[instance.digest] = data
    found = assess("1.2.3", [instance], archive=archive, classifier=classifier, min_age_years=16, clock=lambda: NOW)
    if isinstance(found, Assessment):
        return Outcome(probability=found.probability, flagged=found.flagged)
    return Outcome(reason=found.reason.code)


def stored_values(data: bytes) -> NDArray[Any] | None:
    try:
        return decode_frame(read_dataset(BytesIO(data)))
    except PixelError:
        return None


def _serve(pipe: Connection, address_space: int) -> None:
    """Answer until the other end is gone; what a decoder prints is nobody's."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if address_space:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    classifier = load_classifier(PACKAGED / "recommended")
    whole: NDArray[Any] | None = None
    while True:
        try:
            kind, data = pipe.recv()
        except EOFError:
            return
        if kind == "peak":
            pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            continue
        try:
            outcome = assessed(data, classifier)
            pixels = stored_values(data)
            if kind == "whole":
                whole = pixels
            if pixels is not None and whole is not None:
                same = pixels.shape == whole.shape
                most = int(np.abs(pixels.astype(np.int64) - whole).max()) if same else 0xFFFF
                outcome = Outcome(
                    reason=outcome.reason, probability=outcome.probability, flagged=outcome.flagged, difference=most
                )
        except BaseException as error:  # a panic of a decoder is no Exception
            outcome = Outcome(reason=f"raised {type(error).__name__}")
        pipe.send(outcome)


class Path:
    """A child that is started anew when it dies. ``address_space``: bytes that it may have, 0 for no limit."""

    def __init__(self, address_space: int = 0) -> None:
        self._address_space = address_space
        self._context = multiprocessing.get_context("spawn")
        self._whole: bytes | None = None
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._child = self._context.Process(target=_serve, args=(theirs, self._address_space), daemon=True)
        self._child.start()
        theirs.close()
        if self._whole is not None:
            self._ask("whole", self._whole)

    def _ask(self, kind: str, data: bytes) -> Outcome:
        try:
            self._pipe.send((kind, data))
            if self._pipe.poll(DEADLINE_S):
                found: Outcome = self._pipe.recv()
                return found
            reason = "timed out"
        except (EOFError, OSError):
            reason = "killed"
        self.close()
        self._start()
        return Outcome(reason=reason)

    def whole(self, data: bytes) -> Outcome:
        """The film that the next ones were made of."""
        self._whole = None  # not again, if this one kills
        outcome = self._ask("whole", data)
        self._whole = data
        return outcome

    def damaged(self, data: bytes) -> Outcome:
        return self._ask("damaged", data)

    def peak(self) -> float:
        """MiB of memory that the child has held at most."""
        self._pipe.send(("peak", b""))
        peak: float = self._pipe.recv()
        return peak

    def close(self) -> None:
        self._child.kill()
        self._child.join()
        self._pipe.close()
