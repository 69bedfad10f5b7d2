"""Histories as padded tensors."""

import numpy as np
import tensorflow as tf

from tfrec.data.records import CONTEXT_PREFIX, Histories

History = dict[str, tf.Tensor]
"""`item`, `event`, `timestamp` and `context/<column>` int64 `[batch, length]`, oldest first, padded
with 0 on the right, and `length` int64 `[batch]`."""


def pad_histories(histories: Histories, max_history: int) -> History:
    """Returns the last `max_history` events of every shopper as a `History`."""
    ends = histories.offsets[1:]
    lengths = np.minimum(histories.lengths, max_history)
    columns = np.arange(max(int(lengths.max(initial=0)), 1))
    index = (ends - lengths)[:, None] + columns
    inside = columns < lengths[:, None]
    safe = np.where(inside, index, 0)

    def pad(values: np.ndarray) -> tf.Tensor:
        if not len(values):
            return tf.zeros(inside.shape, tf.int64)
        return tf.constant(np.where(inside, values[safe], 0), tf.int64)

    arrays = {"item": histories.item, "event": histories.event, "timestamp": histories.timestamp}
    arrays |= {f"context/{column}": values for column, values in histories.context.items()}
    return {name: pad(values) for name, values in arrays.items()} | {
        "length": tf.constant(lengths, tf.int64)
    }


def last_events(history: History, max_history: int) -> History:
    """Returns `history` cut to the last `max_history` events of every shopper."""
    length = history["length"]
    kept = tf.minimum(length, max_history)
    width = tf.minimum(tf.shape(history["item"], tf.int64)[1], max_history)
    columns = tf.range(width)
    inside = columns < kept[:, tf.newaxis]
    index = tf.where(inside, (length - kept)[:, tf.newaxis] + columns, 0)
    cut = {
        name: tf.gather(values, index, batch_dims=1)
        for name, values in history.items()
        if name != "length"
    }
    # Context stays beyond the end: an empty history's state is asked for in some context, too.
    return {
        name: values if name.startswith(CONTEXT_PREFIX) else tf.where(inside, values, 0)
        for name, values in cut.items()
    } | {"length": kept}


def step_weights(hits: tf.Tensor, decay: tf.Tensor | float) -> tf.Tensor:
    """Returns what each event of a history counts, `decay` times the next one that counts.

    Args:
        hits: bool `[batch, length]`, the events that count.
        decay: in [0, 1]; 0 leaves the last hit alone.

    Returns:
        float32 `[batch, length]`, 1 for the last hit and 0 for what is none.
    """
    hit = tf.cast(hits, tf.float32)
    steps_back = tf.cumsum(hit, axis=1, reverse=True, exclusive=True)
    return hit * tf.pow(decay, steps_back)
