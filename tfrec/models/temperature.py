"""A temperature of the softmax that is trained along."""

from typing import Any

import tensorflow as tf

SMALLEST = 0.01
"""Below it the gradients of a few hard examples drown all others."""


@tf.keras.utils.register_keras_serializable(package="tfrec")
class LearnedTemperature(tf.keras.layers.Layer):
    """Learns the logarithm of the temperature, as a multiple of where it starts.

    As in CLIP (Radford et al., ICML 2021) a floor of 0.01 keeps training stable. Weight decay draws
    the temperature to where it started, and not to 1.

    Args:
        start: the temperature at first.
    """

    def __init__(self, start: float, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.start = start
        self.log_factor = self.add_weight(name="log_factor", shape=(), initializer="zeros")

    @property
    def value(self) -> tf.Tensor:
        """The temperature as it is now, a float32 scalar."""
        return tf.maximum(self.start * tf.exp(self.log_factor), min(SMALLEST, self.start))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "start": self.start}
