"""Places products that are in no catalogue where one with their description would stand."""

import numpy as np
import tensorflow as tf

from tfrec.towers.stand_ins import NEIGHBOURS, SOFTNESS


class Placement(tf.Module):
    """Lends a described product the id offsets of the known items that are described alike.

    The same as `StandIns` does for items of a catalogue, inside a graph: a product has the vector
    that it will have when it is added to the catalogue.

    Args:
        described: float32 `[num_items + 1, dimension]`, unit vectors made of descriptions alone.
        offsets: float32 `[num_items + 1, dimension]`, id offsets.
        learned: bool `[num_items + 1]`, items whose offsets were learned; one at least.
    """

    def __init__(self, described: np.ndarray, offsets: np.ndarray, learned: np.ndarray) -> None:
        super().__init__(name="placement")
        known = np.flatnonzero(learned)
        self._described = tf.Variable(described[known], trainable=False, name="described")
        self._offsets = tf.Variable(offsets[known], trainable=False, name="offsets")
        self._count = min(NEIGHBOURS, len(known))

    def offsets(self, described: tf.Tensor) -> tf.Tensor:
        """Returns the weighted mean offsets float32 `[batch, dimension]` of the nearest items.

        Args:
            described: float32 `[batch, dimension]`, as the known items' vectors.
        """
        cosines = tf.linalg.matmul(described, self._described, transpose_b=True)
        near, items = tf.math.top_k(cosines, self._count)
        weights = tf.nn.softmax(near / SOFTNESS)
        return tf.einsum("bk,bkd->bd", weights, tf.gather(self._offsets, items))
