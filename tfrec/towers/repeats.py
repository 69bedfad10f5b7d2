"""A learned bonus for items that a shopper has had before."""

from typing import Any

import tensorflow as tf

from tfrec.data.item_counts import SECONDS_PER_DAY

NUM_BUCKETS = 16


@tf.keras.utils.register_keras_serializable(package="tfrec")
class RepeatBonus(tf.keras.layers.Layer):
    """Raises, or lowers, the score of items already in the history, by how long ago they were.

    A query vector cannot point at a hundred past purchases at once. As in RepeatNet (Ren et al.,
    AAAI 2019) repeats therefore have a path of their own; here it is a sum of four learned numbers:
    for how often the item was had, for the age of the last time in steps and in days (recency and
    frequency, in logarithmic buckets), and for the item itself, as not everything is bought again.

    Args:
        num_ids: number of trained items; id 0 and ids above it have no number of their own.

    Call arguments:
        items: int64 `[batch, length]`, the histories, 0 for padding.
        timestamps: int64 `[batch, length]`, unix seconds; 0 for unknown.
        seen: int64 `[batch]`, how many events each state has seen; later ones are ignored.
        size: number of rows of the item table.

    Returns:
        float32 `[batch, size]`, to be added to the scores.
    """

    def __init__(self, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_ids = num_ids

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the tables of bonuses, 0 at first."""
        sizes = {
            "by_item": self.num_ids + 1,
            "by_count": NUM_BUCKETS,
            "by_steps": NUM_BUCKETS,
            "by_days": NUM_BUCKETS,
        }
        for name, size in sizes.items():
            setattr(self, name, self.add_weight(name=name, shape=(size,), initializer="zeros"))
        super().build(input_shape)

    def call(
        self, items: tf.Tensor, timestamps: tf.Tensor, seen: tf.Tensor, size: int | tf.Tensor
    ) -> tf.Tensor:
        """Returns the bonus of every item; see the class docstring for shapes."""
        shape = tf.shape(items, tf.int64)
        age = seen[:, tf.newaxis] - tf.range(shape[1])
        present = tf.logical_and(age > 0, items > 0)
        now = tf.reduce_max(tf.where(present, timestamps, 0), axis=1, keepdims=True)
        days = tf.cast(tf.maximum(now - timestamps, 0), tf.float32) / SECONDS_PER_DAY
        place = tf.where(present)
        item = tf.boolean_mask(items, present)
        index = tf.stack([place[:, 0], item], axis=1)
        laid_out = tf.stack([shape[0], tf.cast(size, tf.int64)])
        count = tf.gather_nd(tf.scatter_nd(index, tf.ones_like(item), laid_out), index)
        last = tf.tensor_scatter_nd_max(tf.zeros(laid_out, tf.int64), index, place[:, 1] + 1)
        is_last = tf.gather_nd(last, index) == place[:, 1] + 1
        bonus = (
            self._look_up(self.by_item, tf.where(item <= self.num_ids, item, 0))
            + self._look_up(self.by_count, _bucket(tf.cast(count, tf.float32)))
            + self._look_up(
                self.by_steps, _bucket(tf.cast(tf.boolean_mask(age, present), tf.float32))
            )
            + self._look_up(self.by_days, _bucket(1.0 + tf.boolean_mask(days, present)))
        )
        return tf.scatter_nd(index, bonus * tf.cast(is_last, tf.float32), laid_out)

    def _look_up(self, table: tf.Variable, index: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.cast(table, tf.float32), index)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_ids": self.num_ids}


def _bucket(value: tf.Tensor) -> tf.Tensor:
    """Returns the int32 bucket of values from 1 up; each is 1.6 times as wide as the one before."""
    bucket = tf.cast(tf.math.log(value) / tf.math.log(1.6), tf.int32)
    return tf.clip_by_value(bucket, 0, NUM_BUCKETS - 1)
