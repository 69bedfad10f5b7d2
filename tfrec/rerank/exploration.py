"""Chance that is the same whenever the same request is made again."""

import tensorflow as tf

from tfrec.rerank.greedy import EXPLORED

# As many as a float32 tells apart.
BUCKETS = 1 << 24
# Of a strong hash, whose values for seeds that are nearly alike have nothing in common.
KEY = [0x7466726563, 0x6578706C6F7265]


def uniform(seeds: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Returns float32 `[batch, count]` in [0, 1), a hash of each pair of a seed and a number.

    Args:
        seeds: string `[batch]`.
        numbers: int `[batch, count]`, or `[1, count]` for the same ones of every seed.
    """
    shape = tf.broadcast_dynamic_shape(tf.shape(seeds[:, tf.newaxis]), tf.shape(numbers))
    parts = (seeds[:, tf.newaxis], tf.strings.as_string(numbers))
    names = tf.strings.join([tf.broadcast_to(part, shape) for part in parts], separator="/")
    return tf.cast(tf.strings.to_hash_bucket_strong(names, BUCKETS, KEY), tf.float32) / BUCKETS


def exploring(seeds: tf.Tensor, steps: int, share: float) -> tf.Tensor:
    """Returns bool `[batch, steps]`: the places that are left to chance, a `share` of all.

    Args:
        seeds: string `[batch]`.
        steps: number of places.
        share: probability that a place is.
    """
    # Negative, so that no place has the number of an item.
    return uniform(seeds, -1 - tf.range(steps)[tf.newaxis]) < share


def exploration_bonus(seeds: tf.Tensor, items: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns the bonus that leaves some places to chance, `[batch, steps, num_candidates]`.

    Every candidate has the same chance there.

    Args:
        seeds: string `[batch]`.
        items: int64 `[batch, num_candidates]`.
        places: bool `[batch, steps]`, which places.
    """
    noise = EXPLORED * uniform(seeds, items)
    return tf.where(places[:, :, tf.newaxis], noise[:, tf.newaxis], 0.0)


def seeds_of(items: tf.Tensor, timestamps: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns the seed of each history, string `[batch]`: its length and its last event.

    So a page stays as it is when it is loaded again, and changes with the next click.

    Args:
        items: int64 `[batch, length]`, oldest first, padded on the right, at least one column.
        timestamps: int64 `[batch, length]`.
        lengths: int64 `[batch]`.
    """
    last = tf.maximum(lengths - 1, 0)
    parts = (lengths, *(tf.gather(values, last, batch_dims=1) for values in (items, timestamps)))
    return tf.strings.join([tf.strings.as_string(part) for part in parts], separator="/")
