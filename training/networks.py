"""The networks that may be trained and bundled: an allow-list of builders.

Each takes ``height`` and ``width`` in pixels and its own arguments and returns a Keras model with input ``film``
(N, H, W, 1) float32 in 0..1 and three outputs: ``logit`` (N, 1), ``features`` (N, C) pooled, ``maps`` (N, h, w, C) the
last stage. A positive logit speaks for *abnormal*.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

MEMBER = "member{}_"
"""Prefix of a committee member's layers."""


def paper_cnn(
    height: int,
    width: int,
    filters: Sequence[int] = (32, 32, 64, 64, 128, 128),
    dense: int = 256,
    dropout: float = 0.5,
) -> Any:
    """The paper's network: six convolutions, each with max pooling, two dense layers, ReLU, dropout, softmax.

    A softmax over two classes is the logistic of the difference of their scores: that difference is the logit.
    """
    film = keras.Input((height, width, 1), name="film")
    x = film
    for number, channels in enumerate(filters, start=1):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{number}")(x)
    maps = x
    x = layers.Dense(dense, activation="relu", name="dense1")(layers.Flatten(name="flatten")(x))
    features = x
    scores = layers.Dense(2, name="dense2")(layers.Dropout(dropout, name="dropout")(x))
    logit = layers.Subtract(name="difference")([scores[:, 1:], scores[:, :1]])
    return keras.Model(film, {"logit": logit, "features": features, "maps": maps}, name="paper_cnn")


def residual_gap(
    height: int,
    width: int,
    widths: Sequence[int] = (24, 48, 96, 192, 224),
    strides: Sequence[int] = (1, 2, 2, 2, 1),
    dropout: float = 0.3,
    members: int = 1,
    standardise: bool = False,
) -> Any:
    """A committee of residual networks with batch normalisation, global average pooling and one linear logit.

    Since pooling and head are linear, averaging the members' logits is the same as one linear layer over all their
    pooled features: the class-activation map stays one dot product of ``maps`` with the head's kernel.
    """
    film = keras.Input((height, width, 1), name="film")
    x = layers.Rescaling(4.0, -2.0, name="rescale")(film)
    if standardise:
        x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, name="standardise")(x)
    towers = [_tower(x, widths, strides, MEMBER.format(number)) for number in range(members)]
    maps = layers.Concatenate(name="join")(towers) if members > 1 else towers[0]
    features = layers.GlobalAveragePooling2D(name="pool")(maps)
    logit = layers.Dense(1, name="head")(layers.Dropout(dropout, name="dropout")(features))
    return keras.Model(film, {"logit": logit, "features": features, "maps": maps}, name="residual_gap")


def _tower(x: Any, widths: Sequence[int], strides: Sequence[int], prefix: str) -> Any:
    x = _conv(x, widths[0], 5, 2, f"{prefix}stem")
    for stage, (channels, stride) in enumerate(zip(widths, strides, strict=True)):
        name = f"{prefix}stage{stage}_"
        if stride > 1:
            x = layers.MaxPooling2D(stride, name=f"{name}pool")(x)
        shortcut = x if x.shape[-1] == channels else _conv(x, channels, 1, 1, f"{name}skip", activate=False)
        y = _conv(x, channels, 3, 1, f"{name}a")
        y = _conv(y, channels, 3, 1, f"{name}b", activate=False)
        x = layers.ReLU(name=f"{name}out")(layers.Add(name=f"{name}add")([shortcut, y]))
    return x


def _conv(x: Any, channels: int, size: int, stride: int, name: str, activate: bool = True) -> Any:
    x = layers.Conv2D(
        channels, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activate else x


BUILDERS: dict[str, Callable[..., Any]] = {"paper_cnn": paper_cnn, "residual_gap": residual_gap}
"""Name in ``architecture.json`` → builder; the service holds the same list of names."""


def build(builder: str, height: int, width: int, **arguments: Any) -> Any:
    """The network of a recipe or an ``architecture.json``.

    Raises:
        KeyError: no such builder.
        TypeError: an argument it does not have.
    """
    return BUILDERS[builder](height, width, **arguments)
