import numpy as np
import pytest
import tensorflow as tf

from tfrec.explaining.history_reasons import (
    DECAY,
    OWN,
    REASONS,
    event_weights,
    history_weights,
    mean_vector,
    strongest,
)
from tfrec.index.exact import NEVER
from tfrec.index.item_vectors import ItemVectors

# Items 1 and 2 at right angles, 3 between them, 4 opposite to 1.
VECTORS = ItemVectors(tf.constant([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]]))


def weights_of(past, shown, usable=None):
    past = tf.constant([past], tf.int64)
    usable = past > 0 if usable is None else tf.constant([usable])
    weight = event_weights(tf.constant([int((past > 0).numpy().sum())], tf.int64), usable)
    return history_weights(VECTORS, tf.constant([shown], tf.int64), past, weight).numpy()[0]


def test_later_events_count_more_and_what_may_be_no_reason_counts_nothing():
    usable = tf.constant([[True, False, True, True], [True, False, False, False]])
    weight = event_weights(tf.constant([4, 1], tf.int64), usable)
    np.testing.assert_allclose(weight, [[DECAY**3, 0, DECAY, 1], [1, 0, 0, 0]], rtol=1e-6)
    long = event_weights(tf.constant([3000], tf.int64), tf.fill([1, 3000], True))
    assert long.numpy().min() > 0


def test_the_mean_is_weighted():
    weight = tf.constant([[3.0, 4.0, 0.0]])
    past = tf.constant([[1, 2, 4]], tf.int64)
    np.testing.assert_allclose(mean_vector(VECTORS, past, weight), [[0.6, 0.8]], rtol=1e-6)
    assert not mean_vector(VECTORS, past, 0 * weight).numpy().any()


def test_a_weight_is_what_the_mean_loses_without_the_item():
    # Shown: 3. Cosines .6 (item 1), .8 (item 2), weights of the events d, 1.
    both = (0.6 * DECAY + 0.8) / (DECAY + 1)
    np.testing.assert_allclose(weights_of([1, 2], [3]), [[both - 0.8, both - 0.6]], atol=1e-6)


def test_all_events_of_an_item_are_left_out_together_and_named_once():
    d = DECAY
    total = d**2 + d + 1
    mean = (0.6 * (d**2 + 1) + 0.8 * d) / total
    (row,) = weights_of([1, 2, 1], [3])
    assert row[0] == NEVER
    np.testing.assert_allclose(row[1:], [mean - 0.6, mean - 0.8], atol=1e-6)


def test_an_item_alone_loses_everything():
    np.testing.assert_allclose(weights_of([1, 1, 0], [3]), [[NEVER, 0.6, NEVER]], atol=1e-6)


def test_what_the_shopper_had_is_its_own_first_reason():
    (row,) = weights_of([3, 1], [1])
    alone = (0.6 * DECAY + 1) / (DECAY + 1)
    np.testing.assert_allclose(row, [alone - 1, OWN + alone - 0.6], atol=1e-6)


def test_returned_goods_are_no_reason():
    (row,) = weights_of([1, 2], [3], usable=[True, False])
    np.testing.assert_allclose(row, [0.6, NEVER], atol=1e-6)


@pytest.mark.parametrize("shown, past, weights, named, kept", [
    # The first is named whatever it weighs, the others only above 0.
    ([3], [5, 6, 7, 8], [[-0.2, -0.1, NEVER, -0.3]], [[6, 0, 0]], [[-0.1, 0, 0]]),
    ([3], [5, 6, 7, 8], [[0.4, 0.1, 0.3, 0.2]], [[5, 7, 8]], [[0.4, 0.3, 0.2]]),
    ([3], [5], [[0.4]], [[5, 0, 0]], [[0.4, 0, 0]]),
    ([3], [0], [[NEVER]], [[0, 0, 0]], [[0, 0, 0]]),
    ([0], [5, 6], [[0.4, 0.1]], [[0, 0, 0]], [[0, 0, 0]]),
])  # fmt: skip
def test_the_strongest_are_named(shown, past, weights, named, kept):
    items, values = strongest(
        tf.constant([weights], tf.float32),
        tf.constant([past], tf.int64),
        tf.constant([shown], tf.int64),
    )
    assert items.shape == (1, len(shown), REASONS) and items.numpy()[0].tolist() == named
    np.testing.assert_allclose(values[0], kept, rtol=1e-6)
