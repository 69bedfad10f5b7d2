"""Limits on how many items of one brand or category stand on a page."""

from collections.abc import Mapping

import tensorflow as tf


class Caps:
    """Counts the categories of chosen items against their limits.

    An item with several categories is over a cap if any of them is full; items without one, index
    0, are under none. Columns share one numbering, so that all are counted at once.

    Args:
        values: int `[batch, num_candidates, max_values]` by column, padded with 0.
        limits: the most items of one category, by column.
    """

    def __init__(self, values: Mapping[str, tf.Tensor], limits: Mapping[str, int]) -> None:
        numbered, widths = [], []
        for number, column in enumerate(limits):
            own = tf.cast(values[column], tf.int32)
            numbered.append(tf.where(own > 0, own * len(limits) + number, 0))
            widths.append(tf.fill([tf.shape(own)[2]], float(limits[column])))
        self._values = tf.concat(numbered, axis=2)
        self._limits = tf.concat(widths, axis=0)

    def start(self) -> tf.Tensor:
        """Returns float32 `[batch, num_candidates, values]`: chosen items that share each value."""
        return tf.zeros_like(self._values, tf.float32)

    def full(self, counts: tf.Tensor) -> tf.Tensor:
        """Returns bool `[batch, num_candidates]`: whether a candidate would break a cap."""
        return tf.reduce_any(counts >= self._limits, axis=2)

    def count(self, counts: tf.Tensor, pick: tf.Tensor) -> tf.Tensor:
        """Returns the counts after candidate `pick`, int32 `[batch]`, was chosen."""
        own = tf.gather(self._values, pick, batch_dims=1)[:, tf.newaxis, tf.newaxis]
        same = tf.logical_and(self._values[..., tf.newaxis] == own, own > 0)
        return counts + tf.cast(tf.reduce_any(same, axis=3), tf.float32)
