"""Training histories that are told a little differently each epoch."""

import tensorflow as tf

_NOISE = 2**31
"""Random numbers below this break ties among integers that are multiples of it."""


def shuffled_within(groups: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns an order that sorts by `groups` (int64 `[count]`, from 0) and is random within."""
    noise = tf.random.stateless_uniform(tf.shape(groups), key, 0, _NOISE, tf.int64)
    return tf.cast(tf.argsort(groups * _NOISE + noise, stable=True), tf.int64)


def reordered(start: tf.Tensor, window: tf.Tensor, share: float, key: tf.Tensor) -> tf.Tensor:
    """Returns an order of events in which a part of every window is shuffled.

    The item reorder of CL4SRec (Xie et al., "Contrastive learning for sequential recommendation",
    ICDE 2022): so many events in a row, beginning anywhere. There it makes views to be told from
    those of others; here a training predicts the events in their new order.

    Args:
        start: int64 `[windows]`, where each window starts among the events; they lie end to end.
        window: int64 `[events]`, the window of each event.
        share: of the events of a window, in [0, 1], rounded down.
        key: int64 `[2]`, decides where the parts begin and how they are shuffled.

    Returns:
        int64 `[events]`.
    """
    keys = [tf.random.experimental.stateless_fold_in(key, number) for number in range(2)]
    count = tf.size(window, tf.int64)
    length = tf.concat([start[1:], count[tf.newaxis]], axis=0)[: tf.size(start)] - start
    part = tf.cast(tf.floor(share * tf.cast(length, tf.float64)), tf.int64)
    place = tf.random.stateless_uniform(tf.shape(start), keys[0], dtype=tf.float64)
    first = start + tf.cast(place * tf.cast(length - part + 1, tf.float64), tf.int64)
    event = tf.range(count)
    own_first = tf.gather(first, window)
    inside = tf.logical_and(event >= own_first, event < tf.gather(first + part, window))
    return shuffled_within(tf.where(inside, own_first, event), keys[1])


def left_out(
    columns: dict[str, tf.Tensor],
    state: tf.Tensor,
    start: tf.Tensor,
    window: tf.Tensor,
    share: float,
    key: tf.Tensor,
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Leaves some events out of what is read; the others of a window close ranks.

    Tan et al., "Improved recurrent neural networks for session-based recommendations" (DLRS
    2016), leave out clicks so that a network does not learn one session by heart. The first event
    of a window always stays, as a state that has read nothing is that of a new shopper.

    Args:
        columns: int64 `[events]` each, what is read of the events.
        state: int64 `[events]`, how many events of its window each event is predicted from.
        start: int64 `[windows]`, where each window starts among the events; they lie end to end.
        window: int64 `[events]`, the window of each event.
        share: of the events, in [0, 1).
        key: int64 `[2]`, decides which.

    Returns:
        `columns`, each window's events first and then as many zeros as events were left out, and
        `state`, counted in the events that are still there.
    """
    own_start = tf.gather(start, window)
    drawn = tf.random.stateless_uniform(tf.shape(window), key)
    stays = tf.logical_or(drawn >= share, tf.range(tf.size(window, tf.int64)) == own_start)
    before = tf.cumsum(tf.cast(stays, tf.int64), exclusive=True)
    seen = tf.gather(before, own_start + state) - tf.gather(before, own_start)
    order = tf.argsort(2 * window + tf.cast(tf.logical_not(stays), tf.int64), stable=True)
    there = tf.cast(tf.gather(stays, order), tf.int64)
    return {name: tf.gather(values, order) * there for name, values in columns.items()}, seen
