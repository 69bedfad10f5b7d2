"""Exact search for the best items, in ops that a stock model server has."""

import tensorflow as tf

NEVER = -1e9


def hide_items(scores: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Returns `scores` with `items` set below every other score.

    Args:
        scores: float32 `[batch, num_items + 1]`; column 0 has no meaning.
        items: int64 `[batch, count]`; 0 hides nothing but column 0, which is always hidden.
    """
    batch = tf.shape(items, tf.int64)[0]
    items = tf.pad(items, [[0, 0], [0, 1]])
    rows = tf.repeat(tf.range(batch), tf.shape(items, tf.int64)[1])
    index = tf.stack([rows, tf.reshape(items, [-1])], axis=1)
    return tf.tensor_scatter_nd_min(scores, index, tf.fill(tf.shape(rows), NEVER))


def hide_unavailable(scores: tf.Tensor, available: tf.Tensor) -> tf.Tensor:
    """Returns `scores` with the items that are not `available` below every other score.

    Args:
        scores: float32 `[batch, num_items + 1]`.
        available: bool `[num_items + 1]`.
    """
    return tf.where(available, scores, NEVER)


def best_items(scores: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the scores and item indices of the `k` best items, hidden ones last.

    Args:
        scores: float32 `[batch, num_items + 1]`.
        k: how many; where the catalogue is smaller, the rest is filled with item 0.

    Returns:
        float32 `[batch, k]` and int64 `[batch, k]`, where item 0 stands for none.
    """
    width = tf.shape(scores)[1]
    values, items = tf.math.top_k(scores, k=tf.minimum(k, width))
    missing = tf.maximum(k - width, 0)
    values = tf.pad(values, [[0, 0], [0, missing]], constant_values=NEVER)
    items = tf.pad(tf.cast(items, tf.int64), [[0, 0], [0, missing]])
    return values, tf.where(values > NEVER / 2, items, tf.zeros_like(items))
