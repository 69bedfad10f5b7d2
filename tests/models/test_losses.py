"""The softmax over the catalogue, worked by hand."""

import numpy as np
import tensorflow as tf

from tfrec.models.losses import CatalogueSoftmax


def test_worked_by_hand():
    """Scores log 1, log 2 and log 5 at temperature 1: shares of 1/8, 2/8 and 5/8."""
    task = CatalogueSoftmax()
    queries = tf.constant([[1.0, 0.0], [0.0, 0.0]])
    items = tf.constant([[np.log(1.0), 7.0], [np.log(2.0), 8.0], [np.log(5.0), 9.0]], tf.float32)
    # The second query is the zero vector, to which all three items are equal.
    losses = task(queries, items, tf.constant([0, 0, 1]), tf.constant([0, 2, 1]), 1.0)
    np.testing.assert_allclose(losses, [np.log(8), np.log(8 / 5), np.log(3)], rtol=1e-6)


def test_bonus_is_added_before_the_temperature():
    task = CatalogueSoftmax()
    queries, items = tf.constant([[1.0]]), tf.constant([[0.0], [0.0]])
    bonus = tf.constant([[0.0, 0.5 * np.log(3.0)]], tf.float32)
    losses = task(queries, items, tf.constant([0, 0]), tf.constant([0, 1]), 0.5, bonus)
    np.testing.assert_allclose(losses, [np.log(4), np.log(4 / 3)], rtol=1e-6)


def test_large_scores_do_not_overflow():
    losses = CatalogueSoftmax()(
        tf.constant([[1.0]]),
        tf.constant([[1.0], [-1.0]]),
        tf.constant([0, 0]),
        tf.constant([0, 1]),
        0.001,
    )
    np.testing.assert_allclose(losses, [0.0, 2000.0], rtol=1e-6)


def test_half_precision_vectors_give_a_float32_loss():
    queries = tf.constant([[1.0, 0.0]], tf.bfloat16)
    losses = CatalogueSoftmax()(queries, queries, tf.constant([0]), tf.constant([0]), 0.1)
    assert losses.dtype == tf.float32
