"""A classifier without a network: bright films score high. A true second implementation, for tests."""

import numpy as np
from numpy.typing import NDArray

from triage.domain.assessment import Model
from triage.domain.errors import InferenceError
from triage.domain.reason import Reason
from triage.imaging.spec import PreprocessingSpec


class MemoryClassifier:
    """The mean grey value of the tensor is the probability; implements :class:`triage.services.ports.Classifier`."""

    def __init__(
        self, spec: PreprocessingSpec | None = None, threshold: float = 0.5, name: str = "memory", version: str = "1"
    ) -> None:
        self.spec = spec or PreprocessingSpec(height=32, width=32)
        self.model = Model(name=name, version=version, bundle_id="0" * 64, spec_id=self.spec.spec_id, threshold=threshold)

    def probability(self, tensor: NDArray[np.float32]) -> float:
        """The mean of a tensor (H, W, 1) float32 in 0..1.

        Raises:
            InferenceError: another shape, or what is no number.
        """
        if tensor.shape != (self.spec.height, self.spec.width, 1) or not np.isfinite(tensor).all():
            raise InferenceError(Reason.NUMERIC, "the input tensor has another shape or holds what is no number")
        return float(np.clip(tensor.mean(dtype=np.float64), 0.0, 1.0))
