"""A learned bonus for items that a shopper has had before."""

import tensorflow as tf

from tfrec.data.log_statistics import SECONDS_PER_DAY

NUM_AGE_BUCKETS = 16


@tf.keras.utils.register_keras_serializable(package="tfrec")
class RepeatBonus(tf.keras.layers.Layer):
    """Raises, or lowers, the score of items already in the history, by how long ago they were.

    A query vector cannot point at a hundred past purchases at once. As in RepeatNet (Ren et al.,
    AAAI 2019) repeats therefore have a path of their own; here an occurrence of an item brings one
    learned number for the logarithmic bucket of its age in steps and one for that in days, and an
    item's occurrences add up.

    Call arguments:
        items: int64 `[batch, length]`, the histories, 0 for padding.
        timestamps: int64 `[batch, length]`, unix seconds; 0 for unknown.
        seen: int64 `[batch]`, how many events each state has seen; later ones are ignored.
        size: number of rows of the item table.

    Returns:
        float32 `[batch, size]`, to be added to the scores.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the tables of bonuses, 0 at first."""
        self.by_steps = self.add_weight(
            name="by_steps", shape=(NUM_AGE_BUCKETS,), initializer="zeros"
        )
        self.by_days = self.add_weight(
            name="by_days", shape=(NUM_AGE_BUCKETS,), initializer="zeros"
        )
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
        bonus = tf.gather(
            tf.cast(self.by_steps, tf.float32),
            _age_bucket(tf.cast(tf.boolean_mask(age, present), tf.float32)),
        ) + tf.gather(
            tf.cast(self.by_days, tf.float32), _age_bucket(1.0 + tf.boolean_mask(days, present))
        )
        index = tf.stack([place[:, 0], tf.boolean_mask(items, present)], axis=1)
        return tf.scatter_nd(index, bonus, tf.stack([shape[0], tf.cast(size, tf.int64)]))


def _age_bucket(age: tf.Tensor) -> tf.Tensor:
    """Returns the int32 bucket of ages from 1 up; each is 1.6 times as wide as the one before."""
    bucket = tf.cast(tf.math.log(age) / tf.math.log(1.6), tf.int32)
    return tf.clip_by_value(bucket, 0, NUM_AGE_BUCKETS - 1)
