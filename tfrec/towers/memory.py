"""Item-to-item co-occurrence as a fixed part of the retrieval model."""

from typing import Any

import numpy as np
import scipy.sparse
import tensorflow as tf

from tfrec.towers.histories import step_weights


@tf.keras.utils.register_keras_serializable(package="tfrec")
class CooccurrenceMemory(tf.keras.layers.Layer):
    """Adds the score of an item-to-item neighbourhood model to that of the towers.

    Two towers generalise, and smooth over what few shoppers did; a table of what is bought
    together remembers it. Their sum beats either one (compare Cheng et al., "Wide & Deep Learning
    for Recommender Systems", 2016). The table is counted, not trained, and is only added after
    training: its counts hold the very events that training asks for. A shopper's scores are
    divided by the largest of them, so that the weight means the same for long histories and short
    ones. Items without a trained id have no neighbours.

    Args:
        num_ids: number of trained items.
        neighbours: neighbours kept an item, itself included.

    Call arguments:
        items: int64 `[batch, length]`, the histories, 0 for padding.
        hits: bool `[batch, length]`, whether an event is of a target type.
        size: number of rows of the item table.

    Returns:
        float32 `[batch, size]`, in `[0, weight]`, to be added to the scores.
    """

    def __init__(self, num_ids: int, neighbours: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_ids = num_ids
        self.neighbours = neighbours
        shape = (num_ids + 1, neighbours)
        self.nearest = self._fixed("nearest", shape, tf.int32)
        self.similarity = self._fixed("similarity", shape, tf.float32)
        self.decay = self._fixed("decay", (), tf.float32)
        self.weight = self._fixed("weight", (), tf.float32)

    def _fixed(self, name: str, shape: tuple[int, ...], dtype: tf.DType) -> tf.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    @property
    def counted(self) -> list[tf.Variable]:
        """The variables that are counted from the log."""
        return [self.nearest, self.similarity]

    def fill(self, similarity: scipy.sparse.csr_matrix, decay: float) -> None:
        """Takes over the largest similarities of every item.

        Args:
            similarity: float `[num_ids + 1, num_ids + 1]`; row `i` holds the neighbours of `i`.
            decay: an event of the history weighs `decay` times the event after it.
        """
        nearest = np.zeros((self.num_ids + 1, self.neighbours), np.int32)
        values = np.zeros(nearest.shape, np.float32)
        for item in range(1, self.num_ids + 1):
            place = slice(similarity.indptr[item], similarity.indptr[item + 1])
            columns, row = similarity.indices[place], similarity.data[place]
            best = np.argsort(-row, kind="stable")[: self.neighbours]
            nearest[item, : len(best)] = columns[best]
            values[item, : len(best)] = row[best]
        self.nearest.assign(nearest)
        self.similarity.assign(values)
        self.decay.assign(decay)

    def call(self, items: tf.Tensor, hits: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
        """Returns the weighted memory; see the class docstring for shapes."""
        # While the towers train the weight is 0, and so is the cost.
        return tf.cond(
            self.weight > 0,
            lambda: self.weight * self._memory(items, hits, tf.cast(size, tf.int32)),
            lambda: tf.zeros([tf.shape(items)[0], tf.cast(size, tf.int32)]),
        )

    def _memory(self, items: tf.Tensor, hits: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        known = tf.logical_and(items > 0, items <= self.num_ids)
        event_weight = step_weights(tf.logical_and(hits, known), self.decay)
        safe = tf.where(known, items, tf.zeros_like(items))
        near = tf.gather(self.similarity, safe) * event_weight[..., tf.newaxis]
        batch = tf.shape(items)[0]
        place = tf.gather(self.nearest, safe) + tf.range(batch)[:, tf.newaxis, tf.newaxis] * size
        total = tf.math.unsorted_segment_sum(
            tf.reshape(near, [-1]), tf.reshape(place, [-1]), batch * size
        )
        total = tf.reshape(total, [batch, size])
        return tf.math.divide_no_nan(total, tf.reduce_max(total, axis=1, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_ids": self.num_ids, "neighbours": self.neighbours}
