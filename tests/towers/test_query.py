"""The query tower: behaviour and context become a unit vector."""

import numpy as np
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.towers.query import QueryTower

COUNTRY = "Country 国"


def make_tower(**changes):
    settings = {
        "dimension": 4,
        "num_events": 2,
        "context_sizes": {COUNTRY: 4},
        "units": 6,
        "dropout": 0.1,
    }
    return QueryTower(**{**settings, **changes})


def inputs(batch=3, length=3):
    random = np.random.default_rng(0)
    return (
        tf.constant(random.normal(size=(batch, length, 4)), tf.float32),
        tf.constant(random.integers(1, 3, (batch, length)), tf.int64),
        tf.constant(np.cumsum(random.integers(1, 10**6, (batch, length)), axis=1), tf.int64),
        {COUNTRY: tf.constant(random.integers(0, 4, (batch, length + 1)), tf.int64)},
    )


def test_layer_checks():
    check_layer(lambda: make_tower(averages=(0.8,)), inputs())


def test_unit_vectors():
    vectors = make_tower()(*inputs())
    assert vectors.shape == (3, 4, 4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, atol=1e-6)


def test_context_is_added_to_the_state_that_asks():
    tower = make_tower()
    items, events, times, context = inputs()
    plain = make_tower(context_sizes={})
    plain(items, events, times, {})
    tower(items, events, times, context)
    tower.behaviour.set_weights(plain.behaviour.get_weights())
    before = tower(items, events, times, context)
    # Context starts at zero, and so without a say.
    np.testing.assert_allclose(before, plain(items, events, times, {}), atol=1e-6)

    table = np.arange(16, dtype=np.float32).reshape(4, 4)
    tower.context_tables[COUNTRY].assign(table)
    states = plain.behaviour(items, events, times).numpy() + table[context[COUNTRY].numpy()]
    expected = states / np.linalg.norm(states, axis=-1, keepdims=True)
    np.testing.assert_allclose(tower(items, events, times, context), expected, atol=1e-5)


def test_a_state_asked_for_keeps_its_context():
    tower, asked = make_tower(), tf.constant([[3], [0], [2]], tf.int64)
    tower(*inputs())
    tower.context_tables[COUNTRY].assign(tf.reshape(tf.range(16.0), [4, 4]))
    expected = tf.gather(tower(*inputs()), asked, batch_dims=1)
    np.testing.assert_allclose(tower(*inputs(), asked), expected, atol=1e-6)


def test_several_context_columns_add_up():
    tower = make_tower(context_sizes={COUNTRY: 4, "device": 2})
    items, events, times, context = inputs()
    context["device"] = tf.ones([3, 4], tf.int64)
    tower(items, events, times, context)
    tower.context_tables[COUNTRY].assign(tf.fill([4, 4], 3.0))
    tower.context_tables["device"].assign(tf.constant([[9.0] * 4, [-3.0] * 4]))
    np.testing.assert_allclose(
        tower(items, events, times, context),
        tf.math.l2_normalize(tower.behaviour(items, events, times), axis=-1),
        atol=1e-4,
    )


def test_mixed_precision_reaches_the_behaviour_tower():
    tower = make_tower(dtype="mixed_bfloat16")
    assert tower(*inputs()).dtype == tf.bfloat16
    assert tower.behaviour.compute_dtype == tower.behaviour.lstms[0].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in tower.weights} == {tf.float32}
