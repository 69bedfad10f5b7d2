"""Plain ways to encode the texts of a training step, for comparison."""

import tensorflow as tf

from tfrec.towers.bert.trained_texts import TrainedTexts


class DistinctTexts(TrainedTexts):
    """Encodes each distinct text of a step once, in one batch padded to its longest."""

    def encode(self, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the distinct items and their vectors."""
        distinct, _ = tf.unique(tf.reshape(items, [-1]))
        distinct = tf.boolean_mask(distinct, distinct > 0)
        rows, place = tf.unique(tf.gather(self._row_of_item, distinct))
        return distinct, tf.gather(self._encode_rows(rows), place)


class EveryPositive(TrainedTexts):
    """Encodes every positive of a step as often as it is there, padded to the longest.

    The items of the histories that are no positives keep their stored vectors.
    """

    def encode(self, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the distinct positives and their vectors.

        Args:
            items: the histories, and behind them as many places for positives.
        """
        items = tf.reshape(items, [-1])
        positives = items[tf.size(items) // 2 :]
        positives = tf.boolean_mask(positives, positives > 0)
        vectors = self._encode_rows(tf.gather(self._row_of_item, positives))
        distinct, place = tf.unique(positives)
        # Equal texts have equal vectors, so the gradients of all may go through the first.
        first = tf.math.unsorted_segment_min(tf.range(tf.size(positives)), place, tf.size(distinct))
        return distinct, tf.gather(vectors, first)
