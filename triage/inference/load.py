"""Load a bundle: verify, warm up, self-test. The only way to a classifier."""

from pathlib import Path

from triage.inference.bundle import open_bundle
from triage.inference.classifier import LiteRtClassifier
from triage.inference.gate_proof import check_gate
from triage.inference.selftest import check_golden, tensor_of


def load_classifier(path: Path, threads: int = 1) -> LiteRtClassifier:
    """The bundle in ``path``, running on ``threads`` threads, proved on its golden films.

    Raises:
        BundleError: anything is not as it must be; one line says what.
    """
    bundle = open_bundle(path)
    classifier = LiteRtClassifier(bundle, threads)
    check_golden(bundle, classifier.probability)
    if bundle.gate is not None:
        check_gate(bundle.gate, "golden films", [tensor_of(golden, bundle.spec) for golden in bundle.golden])
    return classifier
