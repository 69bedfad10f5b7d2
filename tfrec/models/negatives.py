"""What a softmax has as negatives: all that compete, a batch's draws, a query's nearest."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.index.exact import best_items, hide_items, hide_unavailable

SMALLEST_SHARE = 1e-6
"""Of the draws, for an item that is among them against all expectation."""


def competing_items(
    num_items: int, item_frequency: np.ndarray | None, unsold_negatives: bool
) -> tf.Tensor:
    """Returns int64 `[count]`, sorted: the items that the softmax of a training is over.

    That nobody chose what could not yet be bought says nothing of it. As a negative example of
    every shopper, a new item would be pushed away from all of them, by its id and, worse, by what
    its text has in common with other new ones.

    Args:
        num_items: size of the catalogue.
        item_frequency: float `[num_items + 1]`, each item's share of the training targets; `None`
            where that is not known.
        unsold_negatives: whether items that are never a target compete, too.
    """
    items = np.arange(1, num_items + 1)
    if item_frequency is not None and not unsold_negatives:
        items = items[item_frequency[1:] > 0]
    return tf.constant(items, tf.int64)


class Candidates(NamedTuple):
    """Items that all queries of a batch are scored with; each has its true item at its own place.

    Attributes:
        items: int64 `[count]`, 0 for none; the first are the true items of the queries.
        true_vectors: float32 `[num_queries, dimension]`, of the true items as such.
        vectors: float32 `[count, dimension]`, of all as negatives.
        expected: float32 `[count]`, how many times an item is expected among the draws.
    """

    items: tf.Tensor
    true_vectors: tf.Tensor
    vectors: tf.Tensor
    expected: tf.Tensor


class HardNegatives(NamedTuple):
    """The items nearest to each query that its shopper has not had.

    Attributes:
        items: int64 `[num_queries, count]`, 0 for none.
        vectors: float32 `[num_queries, count, dimension]`.
    """

    items: tf.Tensor
    vectors: tf.Tensor


class SharedDraws:
    """Which items a batch shares, and how often each is expected among them.

    In-batch negatives are drawn as the targets are; uniform ones beside them reach items that are
    seldom bought (Yang et al., "Mixed Negative Sampling for Learning Two-tower Neural Networks in
    Recommendations", WWW 2020).

    Args:
        competing: int64 `[count]`, the items that uniform negatives are drawn from.
        item_frequency: float `[num_items + 1]`, each item's share of the training targets.
        uniform: how many are drawn uniformly; 0 for in-batch negatives alone.
    """

    def __init__(self, competing: tf.Tensor, item_frequency: np.ndarray, uniform: int) -> None:
        self._competing = competing
        self._frequency = tf.constant(item_frequency, tf.float32)
        self._uniform = uniform

    def draw(self, targets: tf.Tensor) -> tf.Tensor:
        """Returns the items: int64 `[count]`, the targets of the batch first."""
        if not self._uniform:
            return targets
        num_items = tf.size(self._competing, targets.dtype)
        drawn = tf.random.uniform([self._uniform], 0, num_items, dtype=targets.dtype)
        return tf.concat([targets, tf.gather(self._competing, drawn)], axis=0)

    def expected(self, items: tf.Tensor, targets: tf.Tensor | int) -> tf.Tensor:
        """Returns how many times items are expected among the draws, float32 `[count]`.

        Args:
            items: int64 `[count]`.
            targets: how many of the draws are targets, of this batch or of others.
        """
        targets = tf.cast(targets, tf.float32)
        times = targets * tf.gather(self._frequency, items)
        if self._uniform:
            times += self._uniform / tf.size(self._competing, tf.float32)
        return tf.maximum(times, SMALLEST_SHARE * tf.maximum(targets + self._uniform, 1.0))


def hard_negatives(
    queries: tf.Tensor, vectors: tf.Tensor, competing: tf.Tensor, own: tf.Tensor, count: int
) -> HardNegatives:
    """Returns the items nearest to each query, of the whole catalogue as it is in this step.

    Negatives from the whole catalogue are those that a search in it would put before the true
    item (Xiong et al., "Approximate Nearest Neighbor Negative Contrastive Learning for Dense Text
    Retrieval", ICLR 2021, whose index lags behind). What a shopper has, or is to have later in the
    same history, is no negative. The search takes one score of every query and item, so that it
    suits catalogues of up to some hundred thousand items.

    Args:
        queries: float32 `[num_queries, dimension]`.
        vectors: float32 `[num_items + 1, dimension]`, of all items.
        competing: int64 `[num_competing]`, the items to choose from.
        own: int64 `[num_queries, length]`, items that are no negatives of a query; 0 for none.
        count: how many negatives a query.
    """
    scores = tf.stop_gradient(tf.linalg.matmul(queries, vectors, transpose_b=True))
    competes = tf.scatter_nd(
        competing[:, tf.newaxis], tf.fill(tf.shape(competing), True), tf.shape(scores, tf.int64)[1:]
    )
    _, items = best_items(hide_items(hide_unavailable(scores, competes), own), count)
    return HardNegatives(items, tf.gather(vectors, items))
