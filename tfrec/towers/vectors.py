"""Projects the vectors of pictures, sounds and the like; an item without one has nothing added."""

from typing import Any

import numpy as np
import tensorflow as tf

SMALLEST_SPREAD = 1e-3
"""Vectors that differ by less are all alike, and are not scaled up."""


@tf.keras.utils.register_keras_serializable(package="tfrec")
class VectorProjection(tf.keras.layers.Layer):
    """Turns the vectors of one column into what they add to the items' vectors.

    Only the direction of a vector counts, about the mean direction of the catalogue. So an item
    without a vector, to which exactly 0 is added, stands where an item with the average vector
    would, and not on the other side of all items that have one. What absence itself might say (in
    most shops: that nobody has taken the picture yet) is not learned.

    The projection starts at 0: at the first step an item is where its text puts it.

    Args:
        dimension: size of the item vector.
        size: size of the column's vectors.
        dropout: share of the vectors that training leaves out, so that items must also do
            without; what is left is not scaled up.

    Call arguments:
        vectors: float `[..., size]`; one that is 0 throughout, or holds a number that is not
            finite, is absent.
        training: whether vectors are left out at random.

    Returns:
        `[..., dimension]` of the layer's compute dtype.
    """

    def __init__(self, dimension: int, size: int, dropout: float = 0.1, **kwargs: Any) -> None:
        # With mixed precision Keras would round the vectors before their mean is taken off.
        super().__init__(autocast=False, **kwargs)
        if size < 1:
            raise ValueError(f"`size` should be a positive integer. Received: {size}")
        self.dimension = dimension
        self.size = size
        self.dropout = dropout
        self.projection = self.add_weight(
            name="projection", shape=(size, dimension), initializer="zeros"
        )
        self.mean = self.add_weight(
            name="mean",
            shape=(size,),
            initializer="zeros",
            trainable=False,
            experimental_autocast=False,
        )
        self.spread = self.add_weight(
            name="spread",
            shape=(),
            initializer="ones",
            trainable=False,
            experimental_autocast=False,
        )

    def adapt(self, vectors: np.ndarray) -> None:
        """Measures the mean direction of a catalogue's vectors, and how far they are from it.

        Args:
            vectors: float `[num_items, size]`; absent ones are 0 throughout.
        """
        length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        directions = vectors[length[:, 0] > 0] / length[length[:, 0] > 0]
        if not len(directions):
            return
        mean = directions.mean(axis=0)
        spread = np.sqrt(np.mean(np.sum((directions - mean) ** 2, axis=1)))
        self.mean.assign(mean)
        self.spread.assign(spread if spread > SMALLEST_SPREAD else 1.0)

    def call(self, vectors: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns what the vectors add; see the class docstring for shapes."""
        vectors = tf.cast(vectors, tf.float32)
        finite = tf.reduce_all(tf.math.is_finite(vectors), axis=-1)
        present = tf.logical_and(finite, tf.reduce_any(vectors != 0.0, axis=-1))
        if training and self.dropout > 0:
            kept = tf.random.uniform(tf.shape(present)) >= self.dropout
            present = tf.logical_and(present, kept)
        present = present[..., tf.newaxis]
        # Selected, not multiplied: 0 times what is not finite would be NaN.
        direction = tf.math.l2_normalize(tf.where(present, vectors, 0.0), axis=-1)
        inputs = tf.where(present, (direction - self.mean) / self.spread, 0.0)
        dtype = self.compute_dtype
        return tf.tensordot(tf.cast(inputs, dtype), tf.cast(self.projection, dtype), 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "dimension": self.dimension,
            "size": self.size,
            "dropout": self.dropout,
        }
