"""Load a bundle: verify, warm up, self-test. The only way to a classifier."""

from pathlib import Path

from triage.inference.bundle import open_bundle
from triage.inference.classifier import LiteRtClassifier
from triage.inference.selftest import check_golden


def load_classifier(path: Path, threads: int = 1) -> LiteRtClassifier:
    """The bundle in ``path``, running on ``threads`` threads, proved on its golden films.

    Raises:
        BundleError: anything is not as it must be; one line says what.
    """
    bundle = open_bundle(path)
    classifier = LiteRtClassifier(bundle, threads)
    check_golden(bundle, classifier.probability)
    return classifier
