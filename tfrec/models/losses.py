"""Softmax over items, as a TFRS retrieval task."""

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs


class CatalogueSoftmax(tfrs.tasks.Retrieval):
    """Softmax cross-entropy over the whole catalogue.

    Where `tfrs.tasks.Retrieval` draws its negatives from the batch, this task takes every item as
    a candidate, so neither a sampling correction nor accidental hits arise.

    Args:
        label_smoothing: share of an example's probability that is spread evenly over all items,
            its true one included (Szegedy et al., "Rethinking the Inception Architecture for
            Computer Vision", CVPR 2016, section 7).
    """

    def __init__(self, label_smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._label_smoothing = label_smoothing

    def call(
        self,
        query_embeddings: tf.Tensor,
        candidate_embeddings: tf.Tensor,
        queries: tf.Tensor,
        labels: tf.Tensor,
        temperature: float | tf.Tensor,
        bonus: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the loss of every pair of a query and its true item.

        A query may have several true items; its scores are computed once for all of them.

        Args:
            query_embeddings: float `[num_queries, dimension]`.
            candidate_embeddings: float `[num_candidates, dimension]`, all items.
            queries: int `[num_pairs]`, row of the query in `query_embeddings`.
            labels: int `[num_pairs]`, row of the true item in `candidate_embeddings`.
            temperature: divides the scores.
            bonus: float `[num_queries, num_candidates]`, added to the scores before the
                temperature.

        Returns:
            float32 `[num_pairs]`.
        """
        scores = tf.linalg.matmul(query_embeddings, candidate_embeddings, transpose_b=True)
        scores = tf.cast(scores, tf.float32)
        if bonus is not None:
            scores += bonus
        scores /= temperature
        partition = tf.reduce_logsumexp(scores, axis=1)
        pairs = tf.stack([tf.cast(queries, labels.dtype), labels], axis=1)
        true = tf.gather_nd(scores, pairs)
        losses = tf.gather(partition, queries) - true
        if self._label_smoothing:
            mean = tf.gather(tf.reduce_mean(scores, axis=1), queries)
            losses += self._label_smoothing * (true - mean)
        return losses
