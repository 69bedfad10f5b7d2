"""A learned bonus for items that a shopper has had before."""

import tensorflow as tf

NUM_AGE_BUCKETS = 16


@tf.keras.utils.register_keras_serializable(package="tfrec")
class RepeatBonus(tf.keras.layers.Layer):
    """Raises, or lowers, the score of items already in the history, by how long ago they were.

    A query vector cannot point at a hundred past purchases at once. As in RepeatNet (Ren et al.,
    AAAI 2019) repeats therefore have a path of their own; here it is one learned number for each
    logarithmic bucket of the event's age in steps, summed over an item's occurrences.

    Call arguments:
        items: int64 `[batch, length]`, the histories, 0 for padding.
        seen: int64 `[batch]`, how many events each state has seen; later ones are ignored.
        size: number of rows of the item table.

    Returns:
        float32 `[batch, size]`, to be added to the scores.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the table of bonuses, 0 at first."""
        self.bonus = self.add_weight(name="bonus", shape=(NUM_AGE_BUCKETS,), initializer="zeros")
        super().build(input_shape)

    def call(self, items: tf.Tensor, seen: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
        """Returns the bonus of every item; see the class docstring for shapes."""
        shape = tf.shape(items, tf.int64)
        age = seen[:, tf.newaxis] - tf.range(shape[1])
        present = tf.logical_and(age > 0, items > 0)
        place = tf.where(present)
        buckets = tf.math.log(tf.cast(tf.boolean_mask(age, present), tf.float32)) / tf.math.log(1.6)
        bucket = tf.minimum(tf.cast(buckets, tf.int32), NUM_AGE_BUCKETS - 1)
        index = tf.stack([place[:, 0], tf.boolean_mask(items, present)], axis=1)
        return tf.scatter_nd(
            index,
            tf.gather(tf.cast(self.bonus, tf.float32), bucket),
            tf.stack([shape[0], tf.cast(size, tf.int64)]),
        )
