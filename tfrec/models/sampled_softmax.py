"""Softmax over a true item and some negatives, as a TFRS retrieval task."""

from typing import Any, Literal

import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.models.negatives import Candidates, HardNegatives

HIDDEN = -1e9
"""Logit of what is no negative of a query."""

Correction = Literal["none", "all", "negatives"]


class SampledSoftmax(tfrs.tasks.Retrieval):
    """Estimates the softmax cross-entropy over the whole catalogue by some negatives.

    A negative that is expected `n` times among the draws stands for itself `n` times, so that
    `exp(logit - log n)` summed over the draws estimates the sum over the catalogue (logQ
    correction). With `f` the logits, `p` the true item and `D` the negatives, hits of `p` left out,
    the loss of an example is

        log(1 + exp(log(sum of exp(f(d) - log n(d)) over d in D) - (f(p) - log n(p))))

    correction `all`: the true item is corrected as if it were drawn (Yi et al., "Sampling-Bias-
    Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019); what
    `tfrs.tasks.Retrieval` calculates.

    correction `negatives`: `n(p) = 1`, as the true item is there for certain and not drawn
    (Khrylchenko et al., "Correcting the LogQ Correction", RecSys 2025). Their loss, the gap between
    the two terms times 1 - P(p) without a gradient, has the gradient of the one here, because
    the derivative of log(1 + exp(x)) is 1 - P(p); this one's value also estimates that of the full
    softmax.

    correction `none`: all `n` are 1.

    Hard negatives are there for certain too, `n = 1`, and a draw of one of them counts as a hit:
    the head of the sum is exact, and its tail sampled (Mussmann and Ermon, "Learning and Inference
    via Maximum Inner Product Search", ICML 2016).

    Args:
        correction: which logits are corrected.
        label_smoothing: share of an example's probability that is spread over the catalogue.
    """

    def __init__(self, correction: Correction, label_smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._correction = correction
        self._label_smoothing = label_smoothing

    def call(
        self,
        query_embeddings: tf.Tensor,
        candidates: Candidates,
        temperature: float | tf.Tensor,
        hard: HardNegatives | None = None,
    ) -> tf.Tensor:
        """Returns the loss of every query.

        Args:
            query_embeddings: float32 `[num_queries, dimension]`.
            candidates: what all queries share; the first `num_queries` are their true items.
            temperature: divides the scores.
            hard: further negatives of each query.

        Returns:
            float32 `[num_queries]`.
        """
        num_queries = tf.shape(query_embeddings)[0]
        true = tf.reduce_sum(query_embeddings * candidates.true_vectors, axis=1) / temperature
        logits = tf.linalg.matmul(query_embeddings, candidates.vectors, transpose_b=True)
        logits /= temperature
        own = candidates.items[:num_queries, tf.newaxis]
        negative = tf.logical_and(candidates.items > 0, candidates.items != own)
        times = tf.broadcast_to(candidates.expected, tf.shape(logits))
        if hard is not None:
            near = tf.einsum("qd,qnd->qn", query_embeddings, hard.vectors) / temperature
            negative = tf.logical_and(negative, ~_among(candidates.items, hard.items))
            negative = tf.concat([negative, hard.items > 0], axis=1)
            logits = tf.concat([logits, near], axis=1)
            times = tf.concat([times, tf.ones_like(near)], axis=1)
        corrected, true_times = logits, tf.ones_like(true)
        if self._correction == "none":
            times = tf.ones_like(logits)
        else:
            corrected -= tf.math.log(times)
            if self._correction == "all":
                true_times = candidates.expected[:num_queries]
        rivals = tf.reduce_logsumexp(tf.where(negative, corrected, HIDDEN), axis=1)
        losses = tf.math.softplus(rivals - true + tf.math.log(true_times))
        if self._label_smoothing:
            shares = tf.where(negative, 1.0 / times, 0.0)
            mean = (true + tf.reduce_sum(shares * logits, axis=1)) / (
                1.0 + tf.reduce_sum(shares, axis=1)
            )
            losses += self._label_smoothing * (true - mean)
        return losses


def _among(items: tf.Tensor, sets: tf.Tensor) -> tf.Tensor:
    """Returns bool `[num_sets, count]`: which of `items` are in each of the sets.

    Args:
        items: int64 `[count]`.
        sets: int64 `[num_sets, size]`; 0 for none.
    """
    rows = tf.repeat(tf.range(tf.shape(sets, tf.int64)[0]), tf.shape(sets, tf.int64)[1])
    width = tf.maximum(tf.reduce_max(items), tf.reduce_max(sets)) + 1
    inside = tf.scatter_nd(
        tf.stack([rows, tf.reshape(sets, [-1])], axis=1),
        tf.ones(tf.shape(rows), tf.int32),
        tf.stack([tf.shape(sets, tf.int64)[0], width]),
    )
    return tf.gather(inside > 0, items, axis=1)
