"""Complements of a basket: what is known for it, and the graph that computes it."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfrec.index.item_vectors import ItemVectors
from tfrec.surfaces.stored import StoredTables

WINDOWS: tuple[int | None, ...] = (7, 30, None)
"""Days of the sales that the scores know; None for the whole log."""


@dataclass(frozen=True)
class CartTables(StoredTables):
    """What the log says of baskets.

    Attributes:
        nearest: int32 `[num_items + 1, neighbours]`, see `regression_weights`.
        values: float32 `[num_items + 1, neighbours]`.
        log_sales: float32 `[num_items + 1, len(WINDOWS)]`, ``log(1 + sales)``.
        mix: float32 `[2 + len(WINDOWS)]`, weights of the regression, of the cosine of item
            vectors, and of the sales.
    """

    nearest: np.ndarray
    values: np.ndarray
    log_sales: np.ndarray
    mix: np.ndarray


class Cart(tf.Module):
    """Scores the catalogue for a basket.

    The score of an item is the sum of what the basket's items say for it (a regression over
    orders), the cosine of its vector with the mean vector of the basket (which is all that is
    known of a new product), and its sales of late, with weights fitted on validation orders.

    Args:
        tables: what the log says. Items after those of the tables have no orders yet.
    """

    def __init__(self, tables: CartTables) -> None:
        super().__init__(name="cart")
        self._nearest = tf.Variable(tables.nearest, trainable=False)
        self._values = tf.Variable(tables.values, trainable=False)
        self._log_sales = tf.Variable(tables.log_sales, trainable=False)
        self.mix = tf.Variable(tables.mix, trainable=False)

    def scores(self, basket: tf.Tensor, vectors: ItemVectors) -> tf.Tensor:
        """Returns float32 `[batch, num_items + 1]`; column 0 has no meaning.

        Args:
            basket: int64 `[batch, length]`, items in any order, 0 for none; one that stands there
                twice counts once.
            vectors: unit vectors of the catalogue.
        """
        size = vectors.count
        sales = tf.linalg.matvec(self._log_sales, self.mix[2:])
        return (
            self.mix[0] * self.regression(basket, size)
            + self.mix[1] * self.cosine(basket, vectors)
            + tf.pad(sales, [[0, size - tf.shape(sales)[0]]])
        )

    def regression(self, basket: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
        """Returns what the orders say, float32 `[batch, size]`."""
        size = tf.cast(size, tf.int32)
        batch, known_ids = tf.shape(basket)[0], tf.shape(self._nearest)[0]
        items = tf.cast(basket, tf.int32)
        safe = tf.where(items < known_ids, items, 0)
        share = self._shares(basket, size) * tf.cast(safe > 0, tf.float32)
        says = tf.gather(self._values, safe) * share[..., tf.newaxis]
        place = tf.gather(self._nearest, safe) + tf.range(batch)[:, tf.newaxis, tf.newaxis] * size
        total = tf.math.unsorted_segment_sum(
            tf.reshape(says, [-1]), tf.reshape(place, [-1]), batch * size
        )
        return tf.reshape(total, [batch, size])

    def cosine(self, basket: tf.Tensor, vectors: ItemVectors) -> tf.Tensor:
        """Returns the cosines with the basket's mean vector, float32 `[batch, num_items + 1]`."""
        share = self._shares(basket, vectors.count)
        mean = tf.einsum("bl,bld->bd", share, vectors.rows(basket))
        return vectors.products(tf.math.l2_normalize(mean, axis=1))

    @staticmethod
    def _shares(basket: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch, length]`: 1 over how often the item is there; 0 for none."""
        size = tf.cast(size, tf.int64)
        there = tf.cast(basket > 0, tf.float32)
        batch = tf.shape(basket, tf.int64)[0]
        place = basket + tf.range(batch)[:, tf.newaxis] * size
        counts = tf.math.unsorted_segment_sum(
            tf.reshape(there, [-1]), tf.reshape(place, [-1]), batch * size
        )
        return tf.math.divide_no_nan(there, tf.gather(counts, place))
