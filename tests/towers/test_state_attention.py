"""Attention over states: what it reads, and what it must not."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.towers.state_attention import StateAttention


def some_states(batch=3, length=5, units=4, seed=0):
    random = np.random.default_rng(seed)
    return tf.constant(random.normal(size=(batch, length, units)), tf.float32)


def test_layer_checks():
    # A softmax does not change where all its arguments do, as they do by the keys' bias.
    check_layer(lambda: StateAttention(2, dropout=0.1), some_states(), unmoved=["key/bias"])


def test_one_head_worked_by_hand():
    """Queries, keys and values as they are: weights are those of the normalised states."""
    layer = StateAttention(1)
    states = some_states(batch=1, length=3, units=2)
    layer(states)
    attention = layer.attention
    for dense in (attention._query_dense, attention._key_dense, attention._value_dense):
        dense.kernel.assign(tf.reshape(tf.eye(2), [2, 1, 2]))
    attention._output_dense.kernel.assign(tf.reshape(tf.eye(2), [1, 2, 2]))
    layer.scale.assign([1.0, 0.5])
    given = states[0].numpy()
    normal = (given - given.mean(1, keepdims=True)) / given.std(1, keepdims=True)
    expected = []
    for place in range(3):
        weights = np.exp(normal[: place + 1] @ normal[place] / np.sqrt(2))
        mean = weights @ normal[: place + 1] / weights.sum()
        expected.append(given[place] + [1.0, 0.5] * mean)
    np.testing.assert_allclose(layer(states)[0], expected, atol=1e-4)


def test_a_state_knows_nothing_of_later_ones_and_reads_all_before():
    layer = StateAttention(2)
    states = some_states()
    layer(states)
    layer.scale.assign(tf.ones_like(layer.scale))
    found = layer(states).numpy()
    for changed in range(5):
        others = states.numpy()
        others[:, changed] += np.random.default_rng(changed).normal(size=4)
        moved = np.abs(layer(tf.constant(others)) - found).max(axis=(0, 2))
        assert (moved[:changed] == 0).all()
        assert (moved[changed:] > 1e-4).all()


def test_states_asked_for_are_those_of_all():
    layer = StateAttention(2)
    states, asked = some_states(), tf.constant([[4, 0], [2, 2], [1, 3]], tf.int64)
    everything = layer(states)
    expected = tf.gather(everything, asked, batch_dims=1)
    np.testing.assert_allclose(layer(states, asked), expected, atol=1e-6)


def test_heads_share_a_state_evenly():
    with pytest.raises(ValueError, match="states of 4, heads=3"):
        StateAttention(3)(some_states())


def test_mixed_precision_keeps_float32_weights():
    layer = StateAttention(2, dtype="mixed_bfloat16")
    found = layer(tf.cast(some_states(), tf.bfloat16))
    assert found.dtype == tf.bfloat16
    assert {weight.dtype for weight in layer.weights} == {tf.float32}
    exact = StateAttention(2)
    exact(some_states())
    exact.set_weights(layer.get_weights())
    np.testing.assert_allclose(tf.cast(found, tf.float32), exact(some_states()), atol=0.05)
