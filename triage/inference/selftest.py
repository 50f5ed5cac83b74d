"""Golden films through the whole path: preprocessing, network, calibration must still give what they gave at bundling."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from triage.domain.errors import AssessmentError, BundleError
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import Bundle, Golden

TOLERANCE = 1e-4
"""Largest difference of a probability: above it another processor's rounding is no excuse."""


def check_golden(bundle: Bundle, probability: Callable[[NDArray[np.float32]], float]) -> None:
    """Score every golden film and compare.

    Raises:
        BundleError: a film cannot be used, differs by more than :data:`TOLERANCE`, or all films score the same.
    """
    scores = []
    for golden in bundle.golden:
        tensor = tensor_of(golden, bundle.spec)
        try:
            score = probability(tensor)
        except AssessmentError as error:
            raise BundleError(f"golden film {golden.name}: {error.reason.code}") from error
        if not abs(score - golden.probability) <= TOLERANCE:
            raise BundleError(f"golden film {golden.name}: {score:.5f}, the bundle says {golden.probability:.5f}")
        scores.append(score)
    if max(scores) - min(scores) <= 1e-6:
        raise BundleError("golden films: all score the same, the network is blind")


def tensor_of(golden: Golden, spec: PreprocessingSpec) -> NDArray[np.float32]:
    """The input tensor (H, W, 1) of a golden film, by the service's own preprocessing.

    Raises:
        BundleError: the film cannot be used.
    """
    try:
        return preprocess(dcmread(BytesIO(golden.dicom)), spec)
    except AssessmentError as error:
        raise BundleError(f"golden film {golden.name}: {error.reason.code}") from error
    except Exception as error:  # whatever a damaged golden film does, the bundle is refused
        raise BundleError(f"golden film {golden.name}: {type(error).__name__}") from error
