"""The gate by image: a small network of a bundle's own numbers says whether a tensor is a frontal chest film, upright, whole.

Pure arithmetic on a thumbnail: no runtime, no code from the bundle. Four megaflops, 1.3 milliseconds.
"""

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from triage.domain.errors import InferenceError
from triage.domain.opinion import Opinion, Word
from triage.domain.reason import Reason
from triage.imaging.resample import resample

Array = NDArray[np.float32]

METHODS = frozenset({"thumbnail_cnn_1"})
"""``thumbnail_cnn_1``: the tensor by area average to a square; 3 × 3 convolutions of stride 2, each with ReLU; one hidden
layer with ReLU; one linear output a word; softmax."""
LEARNED = tuple(word for word in Word if word is not Word.DOUBTFUL)
"""Words that a gate learns; *doubtful* is what it says when the film is the likeliest of them and yet not likely enough."""
MOST_CONVOLUTIONS = 6
MOST_NUMBERS = 500_000
"""A larger network is no gate, and would be slow."""
KERNEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """``side`` of the thumbnail in pixels; ``words`` in the order of the outputs; two cut-offs within 0..1.

    ``convolutions``: kernel (3, 3, in, out) and bias (out,) each; ``dense``: two, kernel (in, out) and bias (out,) each.

    Raises:
        ValueError: a size, a shape or a number that cannot be; one line says which.
    """

    side: int
    words: tuple[Word, ...]
    chest_at_least: float
    certain_at_least: float
    convolutions: tuple[tuple[Array, Array], ...]
    dense: tuple[tuple[Array, Array], ...]

    def __post_init__(self) -> None:
        if not 8 <= self.side <= 64:
            raise ValueError("the side of the thumbnail lies within 8..64")
        if len(self.words) != len(LEARNED) or set(self.words) != set(LEARNED):
            raise ValueError(f"words: each of {', '.join(word.code for word in LEARNED)} once")
        for name in ("chest_at_least", "certain_at_least"):
            if not 0.0 < getattr(self, name) < 1.0:  # false for NaN as well
                raise ValueError(f"{name} lies strictly within 0..1")
        if not 1 <= len(self.convolutions) <= MOST_CONVOLUTIONS or len(self.dense) != 2:
            raise ValueError(f"1 to {MOST_CONVOLUTIONS} convolutions and two dense layers")
        self._check_numbers()

    def _check_numbers(self) -> None:
        side, channels, total = self.side, 1, 0
        for number, (kernel, bias) in enumerate(self.convolutions, start=1):
            _check(f"convolution{number}", kernel, bias, (KERNEL, KERNEL, channels))
            side, channels, total = -(-side // 2), kernel.shape[-1], total + kernel.size
        inputs = side * side * channels
        for number, (kernel, bias) in enumerate(self.dense, start=1):
            _check(f"dense{number}", kernel, bias, (inputs,))
            inputs, total = kernel.shape[-1], total + kernel.size
        if inputs != len(self.words):
            raise ValueError("the last layer has one output a word")
        if total > MOST_NUMBERS:
            raise ValueError(f"more than {MOST_NUMBERS:,} numbers")

    def opinion(self, tensor: NDArray[np.float32]) -> Opinion:
        """What the picture looks like; ``tensor`` (H, W, 1) float32 in 0..1.

        Raises:
            InferenceError: the tensor has another shape, or something is no number.
        """
        shares = self.shares(tensor)
        return Opinion(word=self.word(shares), chest=shares[Word.CHEST], certain=self.is_certain(shares))

    def word(self, shares: dict[Word, float]) -> Word:
        """The likeliest word; *doubtful* for a chest film that is not likely enough."""
        likeliest = max(shares, key=lambda word: shares[word])
        return Word.DOUBTFUL if likeliest is Word.CHEST and shares[Word.CHEST] < self.chest_at_least else likeliest

    def is_certain(self, shares: dict[Word, float]) -> bool:
        """Whether there is no doubt that the picture is no chest film."""
        return shares[Word.NOT_A_CHEST] >= self.certain_at_least

    def shares(self, tensor: NDArray[np.float32]) -> dict[Word, float]:
        """How the gate's belief is shared among the words; sums to 1. See :meth:`opinion`."""
        if tensor.ndim != 3 or tensor.shape[2] != 1 or not np.isfinite(tensor).all():
            raise InferenceError(Reason.NUMERIC, "the input tensor has another shape or holds what is no number")
        with np.errstate(all="ignore"):  # what overflows is caught below
            scores = self._scores(thumbnail(tensor, self.side)).astype(np.float64)
            powers = np.exp(scores - scores.max())
            shares = powers / powers.sum()
        if not np.isfinite(shares).all():
            raise InferenceError(Reason.MODEL_DISAGREES, "the gate gave no finite number")
        return {word: float(share) for word, share in zip(self.words, shares, strict=True)}

    def _scores(self, picture: Array) -> Array:
        x = 4.0 * picture[:, :, np.newaxis] - 2.0
        for kernel, bias in self.convolutions:
            x = np.maximum(_convolved(x, kernel) + bias, 0.0)
        (hidden, hidden_bias), (output, output_bias) = self.dense
        scores: Array = np.maximum(x.ravel() @ hidden + hidden_bias, 0.0) @ output + output_bias
        return scores


def thumbnail(tensor: NDArray[np.float32], side: int) -> Array:
    """What a gate sees of a tensor (H, W, 1): (side, side) float32, by area average."""
    return resample(tensor[:, :, 0], side, side).astype(np.float32)


def read_gate(said: Any, archive: bytes) -> Gate:
    """The gate of an ``eligibility.json`` (its ``image_gate``) and the ``eligibility.npz`` beside it; pedigree is left aside.

    Raises:
        ValueError: a key is missing, an unknown method, or :class:`Gate` refuses it.
    """
    try:
        if said["method"] not in METHODS:
            raise ValueError(f"unknown method {str(said['method'])[:40]!r}; known: {', '.join(sorted(METHODS))}")
        codes = {word.code: word for word in LEARNED}
        words = tuple(codes[code] for code in said["words"])
        side, convolutions = said["side"], said["convolutions"]
        cut_offs = {name: float(said[name]) for name in ("chest_at_least", "certain_at_least")}
        if type(side) is not int or type(convolutions) is not int or convolutions > MOST_CONVOLUTIONS:
            raise ValueError("side and convolutions are small whole numbers")
    except (KeyError, TypeError) as error:
        raise ValueError(f"image_gate: {str(error)[:60]} is missing or of another kind") from None
    names = (*(f"convolution{number}" for number in range(1, convolutions + 1)), "dense1", "dense2")
    arrays = _arrays(archive)
    if set(arrays) != {f"{name}/{part}" for name in names for part in ("kernel", "bias")}:
        raise ValueError("eligibility.npz: holds other arrays than image_gate says")
    layers = [(arrays[f"{name}/kernel"], arrays[f"{name}/bias"]) for name in names]
    return Gate(side=side, words=words, convolutions=tuple(layers[:-2]), dense=tuple(layers[-2:]), **cut_offs)


def _arrays(archive: bytes) -> dict[str, Array]:
    try:
        with np.load(BytesIO(archive), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # a hostile archive can fail in many ways; each means the same
        raise ValueError(f"eligibility.npz: cannot be read ({type(error).__name__})") from None


def _check(name: str, kernel: Array, bias: Array, inputs: tuple[int, ...]) -> None:
    fits = kernel.ndim == len(inputs) + 1 and kernel.shape[:-1] == inputs and bias.shape == kernel.shape[-1:]
    if not fits or math.prod(kernel.shape) == 0:
        raise ValueError(f"eligibility.npz: {name} has another shape")
    if kernel.dtype != np.float32 or bias.dtype != np.float32 or not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ValueError(f"eligibility.npz: {name} holds what is no finite number")


def _convolved(x: Array, kernel: Array) -> Array:
    """Stride 2, the border filled with zeros as TensorFlow's ``same`` does it: the odd one out goes to the far side."""
    before, after = zip(*(_border(side) for side in x.shape[:2]), strict=True)
    padded = np.pad(x, ((before[0], after[0]), (before[1], after[1]), (0, 0)))
    windows = sliding_window_view(padded, (KERNEL, KERNEL), axis=(0, 1))[::2, ::2]
    convolved: Array = np.tensordot(windows, kernel, axes=((3, 4, 2), (0, 1, 2)))
    return convolved


def _border(side: int) -> tuple[int, int]:
    missing = max((-(-side // 2) - 1) * 2 + KERNEL - side, 0)
    return missing // 2, missing - missing // 2
