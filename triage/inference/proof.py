"""What a bundle must prove before it may serve, beyond what every load checks."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from triage.domain.bundle import Proof
from triage.domain.errors import BundleError
from triage.inference.classifier import LiteRtClassifier
from triage.inference.gate_proof import ACCEPTED, check_drawn, check_gate
from triage.inference.load import load_classifier
from triage.inference.reference import check_not_constant, check_order, drawn_films, logits_of, reference_films
from triage.inference.selftest import tensor_of


def prove(path: Path, packaged: Path, clock: Callable[[], float] = time.perf_counter) -> Proof:
    """Load the bundle in ``path`` and ask of it what only films from elsewhere can tell.

    ``packaged``: the bundle that brings the reference films. ``clock``: seconds.

    Raises:
        BundleError: the bundle is refused; one line says why.
    """
    classifier = load_classifier(path)
    drawn, gate = drawn_films(classifier.spec), classifier.bundle.gate
    check_not_constant("drawn films", [classifier.logit(film) for film in drawn])
    if gate is not None:
        check_drawn(gate, drawn)
    references, left_out = _ordered(classifier, packaged)
    durations = _milliseconds(classifier, clock)
    return Proof(
        bundle_id=classifier.model.bundle_id,
        files=len(classifier.bundle.manifest["files"]),
        golden=len(classifier.bundle.golden),
        references=references,
        left_out=left_out,
        gate=gate is not None,
        median_ms=median(durations),
        slowest_ms=max(durations),
    )


def _ordered(classifier: LiteRtClassifier, packaged: Path) -> tuple[int, str | None]:
    try:
        films = reference_films(packaged)
    except BundleError as error:  # a damaged installation must not keep anybody from installing a good bundle
        return 0, f"the packaged bundle gives none ({error})"
    logits = logits_of(films, classifier.spec, classifier.logit)
    check_not_constant("reference films", logits)
    if classifier.bundle.gate is not None:
        tensors = [tensor_of(film, classifier.spec) for film in films]
        check_gate(classifier.bundle.gate, "reference films", tensors, ACCEPTED)
    asked = check_order(films, logits)
    return asked, None if asked else "too few films of the packaged bundle are labelled"


def _milliseconds(classifier: LiteRtClassifier, clock: Callable[[], float]) -> list[float]:
    durations = []
    for golden in classifier.bundle.golden:
        tensor = tensor_of(golden, classifier.spec)
        began = clock()
        classifier.probability(tensor)
        durations.append((clock() - began) * 1000)
    return durations
