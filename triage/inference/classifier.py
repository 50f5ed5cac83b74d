"""A bundle's network, running: the only module that imports LiteRT."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from triage.domain.assessment import Model
from triage.domain.errors import BundleError, InferenceError
from triage.domain.opinion import Opinion
from triage.domain.reason import Reason
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import Bundle
from triage.inference.calibration import Calibration

OUTPUTS = frozenset({"logit", "features", "maps"})
SIGNATURE = "serving_default"


class LiteRtClassifier:
    """One warm interpreter; implements :class:`triage.services.ports.Classifier`. Not for several threads at once."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        """Check operators and signature of the bundle's network and make it ready.

        Raises:
            BundleError: a custom operator, another signature, or LiteRT refuses the network.
        """
        _check_operators(bundle.network)
        try:
            interpreter = Interpreter(model_content=bundle.network, num_threads=threads)
            interpreter.allocate_tensors()
            signatures = interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"network.tflite: LiteRT refuses it ({str(error).splitlines()[0][:80]})") from None
        if set(signatures) != {SIGNATURE}:
            raise BundleError(f"network.tflite: needs the one signature {SIGNATURE}")
        self._interpreter = interpreter
        self._runner = interpreter.get_signature_runner(SIGNATURE)
        self._bundle = bundle
        self._check_signature()

    @property
    def bundle(self) -> Bundle:
        """What it was made from."""
        return self._bundle

    @property
    def model(self) -> Model:
        """Pedigree and operating point."""
        return self._bundle.model

    @property
    def spec(self) -> PreprocessingSpec:
        """How films must be preprocessed for it."""
        return self._bundle.spec

    @property
    def calibration(self) -> Calibration:
        """From logit to probability."""
        return self._bundle.calibration

    def outputs(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """``logit`` (1, 1), ``features`` (1, C) and ``maps`` (1, h, w, C) of one tensor (H, W, 1) float32 in 0..1.

        Raises:
            InferenceError: the tensor has another shape or holds what is no number, or the runtime failed.
        """
        self._check_tensor(tensor)
        try:
            # the runner's arrays are views of memory that the next film overwrites
            return {name: value.copy() for name, value in self._runner(film=tensor[np.newaxis].astype(np.float32)).items()}
        except (ValueError, RuntimeError) as error:
            raise InferenceError(Reason.MODEL_DISAGREES, f"the runtime failed: {type(error).__name__}") from error

    def logit(self, tensor: NDArray[np.float32]) -> float:
        """The raw logit of one tensor; see :meth:`outputs`."""
        return float(self.outputs(tensor)["logit"][0, 0])

    def probability(self, tensor: NDArray[np.float32]) -> float:
        """The calibrated probability of *abnormal* for one tensor (H, W, 1) float32 in 0..1.

        Raises:
            InferenceError: the input is no usable tensor, or the network gave no finite number.
        """
        probability = self._bundle.calibration.probability(self.logit(tensor))
        if not 0.0 <= probability <= 1.0:  # false for NaN as well
            raise InferenceError(Reason.MODEL_DISAGREES, "the network gave no finite number")
        return probability

    def opinion(self, tensor: NDArray[np.float32]) -> Opinion | None:
        """What the image gate says of one tensor; ``None``: the bundle brings no gate.

        Raises:
            InferenceError: the input is no usable tensor, or the gate gave no finite number.
        """
        self._check_tensor(tensor)
        return None if self._bundle.gate is None else self._bundle.gate.opinion(tensor)

    def _check_tensor(self, tensor: NDArray[np.float32]) -> None:
        if tensor.shape != (self.spec.height, self.spec.width, 1) or not np.isfinite(tensor).all():
            raise InferenceError(Reason.NUMERIC, "the input tensor has another shape or holds what is no number")

    def _check_signature(self) -> None:
        inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        shape = (1, self.spec.height, self.spec.width, 1)
        if set(inputs) != {"film"} or tuple(inputs["film"]["shape"]) != shape or inputs["film"]["dtype"] is not np.float32:
            raise BundleError(f"network.tflite: the input is not film {shape} float32")
        if set(outputs) != OUTPUTS or tuple(outputs["logit"]["shape"]) != (1, 1):
            raise BundleError(f"network.tflite: the outputs are not {', '.join(sorted(OUTPUTS))}")


def _check_operators(network: bytes) -> None:
    """Built-in operators only: a custom one (TensorFlow's Flex among them) would be code from outside."""
    if network[4:8] != b"TFL3":
        raise BundleError("network.tflite: not a LiteRT network")
    try:
        model: Any = schema.Model.GetRootAs(network, 0)
        codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
        custom = [code.CustomCode() for code in codes if code.CustomCode() or _builtin(code) == schema.BuiltinOperator.CUSTOM]
    except Exception as error:  # a damaged flatbuffer can fail in many ways; each means the same
        raise BundleError(f"network.tflite: damaged ({type(error).__name__})") from None
    if custom:
        name = (custom[0] or b"?").decode("ascii", "replace")
        raise BundleError(f"network.tflite: custom operator {name[:40]}; only built-in ones are run")


def _builtin(code: Any) -> int:
    """The operator's number; small ones stand in the older field."""
    return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
