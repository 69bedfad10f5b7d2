"""Vectors of pictures and the like: what is absent adds nothing, and teaches nothing."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.towers.vectors import VectorProjection

VECTORS = np.array([[3, 4, 0], [0, 0, 0], [0, 0, 2], [1, 2, 2]], np.float32)


def make_layer(dropout=0.0, **changes):
    layer = VectorProjection(2, 3, dropout, **changes)
    layer.adapt(VECTORS)
    layer.projection.assign([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return layer


def test_layer_checks():
    check_layer(make_layer, tf.constant(VECTORS))


def test_mean_and_spread_worked_by_hand():
    layer = VectorProjection(2, 3)
    # Directions (3, 4, 0) / 5, (0, 0, 1) and (1, 2, 2) / 3; the row of zeros is not there.
    directions = np.array([[9, 12, 0], [0, 0, 15], [5, 10, 10]]) / 15
    layer.adapt(VECTORS)
    mean = directions.mean(axis=0)
    np.testing.assert_allclose(layer.mean, mean, rtol=1e-6)
    squares = ((directions - mean) ** 2).sum(axis=1)
    assert float(layer.spread) == pytest.approx(np.sqrt(squares.mean()))
    # Before the first step nothing is added.
    assert not layer(tf.constant(VECTORS)).numpy().any()


@pytest.mark.parametrize("vectors", [np.zeros((2, 3)), np.zeros((0, 3)), [[1, 1, 1], [2, 2, 2]]])
def test_adapt_to_vectors_that_do_not_differ(vectors):
    layer = VectorProjection(2, 3)
    layer.adapt(np.array(vectors, np.float32))
    assert float(layer.spread) == 1.0
    layer.projection.assign(tf.ones([3, 2]))
    assert np.isfinite(layer(tf.constant(VECTORS))).all()


@pytest.mark.parametrize("absent", [[0, 0, 0], [np.nan, 1, 1], [1, np.inf, 1], [-np.inf] * 3])
def test_what_is_absent_adds_nothing_and_teaches_nothing(absent):
    layer = make_layer()
    vectors = tf.constant([absent, [1.0, 2.0, 2.0]], tf.float32)
    with tf.GradientTape() as tape:
        added = layer(vectors, training=True)
        loss = tf.reduce_sum(added[0])
    assert added[0].numpy().tolist() == [0.0, 0.0] and added[1].numpy().all()
    assert not tape.gradient(loss, layer.projection).numpy().any()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e3, 1e30])
def test_any_length_gives_finite_values_and_gradients(scale):
    layer = make_layer()
    with tf.GradientTape() as tape:
        added = layer(tf.constant(VECTORS * np.float32(scale)), training=True)
        loss = tf.reduce_sum(added)
    assert np.isfinite(added).all()
    assert np.isfinite(tape.gradient(loss, layer.projection)).all()


def test_only_the_direction_counts():
    layer = make_layer()
    np.testing.assert_allclose(
        layer(tf.constant(VECTORS * 100)), layer(tf.constant(VECTORS)), rtol=1e-5
    )


def test_vectors_are_left_out_in_training_only():
    layer = make_layer(dropout=0.25)
    same = tf.repeat(tf.constant(VECTORS[:1]), 4000, axis=0)
    tf.random.set_seed(0)
    left_out = ~layer(same, training=True).numpy().any(axis=1)
    assert left_out.mean() == pytest.approx(0.25, abs=0.03)
    kept = layer(same, training=True).numpy()
    kept = kept[kept.any(axis=1)]
    # What is left is not scaled up.
    np.testing.assert_allclose(kept, np.repeat(layer(same[:1]), len(kept), axis=0), rtol=1e-6)


def test_mixed_precision_takes_the_mean_off_first():
    exact, layer = make_layer(), make_layer(dtype="mixed_bfloat16")
    shift = np.array([100.0, 100.0, 100.0], np.float32)
    close = shift + VECTORS
    for one in (exact, layer):
        one.adapt(close)
    assert layer(tf.constant(close)).dtype == tf.bfloat16
    found = tf.cast(layer(tf.constant(close)), tf.float32)
    np.testing.assert_allclose(found, exact(tf.constant(close)), atol=0.1)


def test_impossible_size():
    with pytest.raises(ValueError, match=r"should be a positive integer\. Received: 0"):
        VectorProjection(2, 0)
