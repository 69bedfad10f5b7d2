"""Which items of a history a recommendation is owed to, cheap enough for every answer."""

import tensorflow as tf

from tfrec.index.exact import NEVER
from tfrec.index.item_vectors import ItemVectors

REASONS = 3
"""Items of the history, and words of the text, that an answer names at most."""
DECAY = 0.98
# More than any other item can weigh, as cosines are 1 at most.
OWN = 2.0
# What has ever been done counts something, however long the history.
_SMALLEST = 1e-6


def event_weights(length: tf.Tensor, usable: tf.Tensor) -> tf.Tensor:
    """Returns how much each event counts in the mean of its history, float32 `[batch, length]`.

    Args:
        length: int64 `[batch]`, the events of each history, which stand on the left.
        usable: bool `[batch, length]`, the events that may be a reason; others count nothing.
    """
    width = tf.shape(usable, tf.int64)[1]
    age = tf.maximum(length[:, tf.newaxis] - 1 - tf.range(width), 0)
    weight = tf.maximum(tf.pow(DECAY, tf.cast(age, tf.float32)), _SMALLEST)
    return tf.where(usable, weight, 0.0)


def mean_vector(vectors: ItemVectors, past: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Returns the unit vector of each history's weighted mean, float32 `[batch, dimension]`.

    Args: as in `history_weights`.
    """
    total = tf.einsum("bld,bl->bd", vectors.rows(past), weight)
    return tf.math.l2_normalize(total, axis=-1, epsilon=1e-9)


def history_weights(
    vectors: ItemVectors, items: tf.Tensor, past: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    """Returns how much each item of a history speaks for each item that is shown.

    That is what the mean resemblance of the history to the shown item would lose without it:
    cosines of item vectors, an event weighing `DECAY` times the event after it, all events of an
    item left out together. The query vector is mostly such a moving average; a leave-one-out
    through the whole model finds what moves a rank further at a hundred times the cost
    (`benchmarks/reason_faithfulness.py` has both). What the shopper had before weighs `OWN` more
    for itself, as both stages treat re-purchases apart.

    Args:
        vectors: unit vectors of all items.
        items: int64 `[batch, count]`, the items shown.
        past: int64 `[batch, length]`, the history, oldest first.
        weight: float32 `[batch, length]`, as `event_weights` returns it.

    Returns:
        float32 `[batch, count, length]`; `NEVER` for events that may be no reason, and for all
        events of an item but its last.
    """
    usable = weight > 0.0
    both = tf.logical_and(usable[:, :, tf.newaxis], usable[:, tf.newaxis])
    same = tf.logical_and(past[:, :, tf.newaxis] == past[:, tf.newaxis], both)
    place = tf.range(tf.shape(past)[1])
    later = place[tf.newaxis] > place[:, tf.newaxis]
    is_last = tf.logical_not(tf.reduce_any(tf.logical_and(same, later), axis=2))
    # Of every event: the weight of all events of its item.
    of_item = tf.reduce_sum(tf.where(same, weight[:, tf.newaxis], 0.0), axis=2)[:, tf.newaxis]
    cosines = tf.einsum("bkd,bld->bkl", vectors.rows(items), vectors.rows(past))
    total = tf.reduce_sum(weight, axis=1)[:, tf.newaxis, tf.newaxis]
    summed = tf.einsum("bkl,bl->bk", cosines, weight)[..., tf.newaxis]
    rest = total - of_item
    # An item that is all of the history leaves nothing, but for what rounding leaves.
    left = tf.math.divide_no_nan(summed - of_item * cosines, rest)
    loss = tf.math.divide_no_nan(summed, total) - tf.where(rest > 1e-4 * total, left, 0.0)
    loss += OWN * tf.cast(items[..., tf.newaxis] == past[:, tf.newaxis], tf.float32)
    return tf.where(tf.logical_and(usable, is_last)[:, tf.newaxis], loss, NEVER)


def strongest(weights: tf.Tensor, past: tf.Tensor, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the items that speak most for each item shown, the strongest first.

    The first one is named whatever it weighs, further ones only if they speak for the item.

    Args:
        weights: as `history_weights` returns them.
        past: int64 `[batch, length]`.
        items: int64 `[batch, count]`; 0 for none.

    Returns:
        int64 `[batch, count, REASONS]`, 0 for none, and their weights, float32, 0 for none.
    """
    missing = tf.maximum(REASONS - tf.shape(past)[1], 0)
    weights = tf.pad(weights, [[0, 0], [0, 0], [0, missing]], constant_values=NEVER)
    values, places = tf.math.top_k(weights, k=REASONS)
    named = tf.gather(tf.pad(past, [[0, 0], [0, missing]]), places, batch_dims=1)
    allowed = tf.where(tf.range(REASONS) == 0, values > NEVER / 2, values > 0.0)
    allowed = tf.logical_and(allowed, items[..., tf.newaxis] > 0)
    return tf.where(allowed, named, 0), tf.where(allowed, values, 0.0)
