"""The behaviour tower: one state before and after every event, from what came before it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.towers.behaviour import NUM_GAP_BUCKETS, BehaviourTower, time_gap_buckets

HOUR = 3600


def make_tower(**changes):
    settings = {"dimension": 5, "num_events": 3, "units": 6, "dropout": 0.1}
    return BehaviourTower(**{**settings, **changes})


def history(batch=3, length=4, seed=0):
    random = np.random.default_rng(seed)
    times = 1_700_000_000 + np.cumsum(random.integers(0, 100, (batch, length)) * HOUR, axis=1)
    return (
        tf.constant(random.normal(size=(batch, length, 5)), tf.float32),
        tf.constant(random.integers(1, 4, (batch, length)), tf.int64),
        tf.constant(times, tf.int64),
    )


EVERY_SWITCH = {
    "units": 5,
    "layers": 2,
    "averages": (1.0, 0.5),
    "layer_norm": True,
    "first_residual": True,
    "attention_heads": 5,
}


def test_layer_checks():
    # With every switch on; the query tower's checks are of all off. A softmax does not change
    # where all its arguments do, as they do by the keys' bias.
    check_layer(lambda: make_tower(**EVERY_SWITCH), history(), unmoved=["key/bias"])


def test_a_switch_left_off_makes_no_variables():
    tower = make_tower()
    tower(*history())
    assert [variable.name.split("/", 1)[1] for variable in tower.variables] == [
        "start:0",
        "event_embedding:0",
        "gap_embedding:0",
        "lstm_0/lstm_cell/kernel:0",
        "lstm_0/lstm_cell/recurrent_kernel:0",
        "lstm_0/lstm_cell/bias:0",
        "project/kernel:0",
        "project/bias:0",
    ]


def test_layer_norm_hides_scale_and_mean_from_the_lstm():
    vectors, events, times = history()
    for layer_norm, same in ((True, True), (False, False)):
        tower = make_tower(layer_norm=layer_norm)
        tower(vectors, events, times)
        for weight in (tower.start, tower.event_embedding, tower.gap_embedding):
            weight.assign(tf.zeros_like(weight))
        states, others = (tower(v, events, times) for v in (vectors, 3.0 * vectors + 2.0))
        assert (np.abs(states - others).max() < 1e-4) == same


def test_the_first_residual_passes_on_what_the_lstm_reads():
    tower = make_tower(units=5, first_residual=True)
    vectors, events, times = history()
    tower(vectors, events, times)
    weights = [*tower.lstms[0].weights, tower.event_embedding, tower.gap_embedding]
    for weight in weights:
        weight.assign(tf.zeros_like(weight))
    tower.project.kernel.assign(tf.eye(5))
    states = tower(vectors, events, times)
    np.testing.assert_allclose(states[:, 1:], vectors, atol=1e-6)
    np.testing.assert_allclose(states[:, 0], tf.repeat(tower.start[None], 3, axis=0), atol=1e-6)


def test_the_first_residual_needs_vectors_as_wide_as_the_lstm():
    with pytest.raises(ValueError, match="item_vectors of 5, units=6"):
        make_tower(first_residual=True)(*history())


def test_averages_need_vectors_of_the_size_of_a_state():
    # Without averages any size will do, as the states are projected.
    assert make_tower(dimension=7)(*history()).shape == (3, 5, 7)
    with pytest.raises(ValueError, match="item_vectors of 5, dimension=7"):
        make_tower(dimension=7, averages=(1.0,))(*history())


def test_gap_buckets_worked_by_hand():
    # Up to 1, 3, 7 and 15 hours end buckets 2, 3, 4 and 5; ten years are in the last one.
    gaps = [0, 1, HOUR - 60, HOUR + 60, 2 * HOUR, 4 * HOUR, 6.9 * HOUR, 7.1 * HOUR, 14 * HOUR]
    buckets = [1, 2, 2, 3, 3, 4, 4, 5, 5]
    times = 1_000_000 + np.cumsum([0, *gaps, 87_660 * HOUR]).astype(np.int64)
    found = time_gap_buckets(tf.constant(times[None]))
    assert found.numpy().tolist() == [[0, *buckets, NUM_GAP_BUCKETS - 1]]


def test_gap_buckets_of_unknown_and_reversed_times():
    times = [[0, 0, 0], [500, 0, 600], [500, 400, 400]]
    found = time_gap_buckets(tf.constant(times, tf.int64))
    assert found.numpy().tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("switches", [{"averages": (1.0, 0.7)}, {"layers": 2}, EVERY_SWITCH])
def test_a_state_knows_nothing_of_later_events(switches):
    tower = make_tower(**switches)
    vectors, events, times = history()
    states = tower(vectors, events, times)
    assert states.shape == (3, 5, 5)
    other_vectors, other_events, other_times = history(seed=9)
    for seen in range(5):
        mixed = tower(
            tf.concat([vectors[:, :seen], other_vectors[:, seen:]], axis=1),
            tf.concat([events[:, :seen], other_events[:, seen:]], axis=1),
            tf.concat([times[:, :seen], other_times[:, seen:]], axis=1),
        )
        np.testing.assert_allclose(mixed[:, : seen + 1], states[:, : seen + 1], atol=1e-6)
        if seen < 4:
            assert np.abs(mixed[:, seen + 1] - states[:, seen + 1]).max() > 1e-3


@pytest.mark.parametrize("switches", [{"averages": (0.9,)}, EVERY_SWITCH])
def test_a_state_does_not_depend_on_padding(switches):
    tower = make_tower(**switches)
    vectors, events, times = history()
    states = tower(vectors, events, times)
    padded = tower(
        tf.pad(vectors, [[0, 0], [0, 3], [0, 0]], constant_values=7.0),
        tf.pad(events, [[0, 0], [0, 3]]),
        tf.pad(times, [[0, 0], [0, 3]]),
    )
    np.testing.assert_allclose(padded[:, :5], states, atol=1e-6)


@pytest.mark.parametrize("switches", [{"averages": (0.9,)}, EVERY_SWITCH])
def test_states_asked_for_are_those_of_all(switches):
    tower, asked = make_tower(**switches), tf.constant([[4, 0], [2, 2], [1, 3]], tf.int64)
    expected = tf.gather(tower(*history()), asked, batch_dims=1)
    np.testing.assert_allclose(tower(*history(), asked), expected, atol=1e-6)


def test_an_empty_history_has_a_learned_start():
    tower = make_tower(averages=(1.0,))
    vectors, events, times = history()
    states = tower(vectors, events, times)
    np.testing.assert_allclose(states[:, 0], tf.repeat(states[:1, 0], 3, axis=0), atol=1e-6)
    nothing = tower(vectors[:, :0], events[:, :0], times[:, :0])
    np.testing.assert_allclose(nothing, states[:, :1], atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tower(vectors[:, :0], events[:, :0], times[:, :0]) ** 2)
    assert np.abs(tape.gradient(loss, tower.start)).max() > 0


def test_events_and_gaps_are_read():
    tower = make_tower()
    vectors, events, times = history()
    states = tower(vectors, events, times)
    assert np.abs(tower(vectors, events % 3 + 1, times) - states).max() > 1e-3
    assert np.abs(tower(vectors, events, times * 0) - states).max() > 1e-3
    # Only gaps count: a year later it is the same history.
    np.testing.assert_allclose(tower(vectors, events, times + 365 * 24 * HOUR), states, atol=1e-6)


@pytest.mark.parametrize(
    ("switch", "table"), [("time_gaps", "gap_embedding"), ("event_features", "event_embedding")]
)
def test_times_and_events_may_be_left_unread(switch, table):
    tower = make_tower(**{switch: False})
    vectors, events, times = history()
    states = tower(vectors, events, times)
    assert not any(table in variable.name for variable in tower.variables)
    without_times = tower(vectors, events, times * 0)
    without_events = tower(vectors, events % 3 + 1, times)
    assert np.array_equal(states, without_times) == (switch == "time_gaps")
    assert np.array_equal(states, without_events) == (switch == "event_features")


def test_moving_averages_worked_by_hand():
    tower = make_tower(dimension=2, averages=(1.0, 0.5))
    vectors = tf.constant([[[1.0, 0.0], [0.0, 1.0], [4.0, 3.0]]])
    events, times = tf.ones([1, 3], tf.int64), tf.zeros([1, 3], tf.int64)
    tower(vectors, events, times)
    tower.project.kernel.assign(tf.zeros_like(tower.project.kernel))
    tower.average_weight.assign([[1.0, 1.0], [0.0, 10.0]])
    mean = np.array([[0, 0], [1, 0], [1 / 2, 1 / 2], [5 / 3, 4 / 3]])
    # By halves, the second number alone: 0; 0; 1 / 1.5; (3 + 0.5 + 0) / 1.75.
    faded = np.array([0, 0, 1 / 1.5, 3.5 / 1.75])
    expected = mean + 10 * np.stack([np.zeros(4), faded], axis=1)
    np.testing.assert_allclose(tower(vectors, events, times)[0], expected, atol=1e-5)


def test_decay_zero_is_the_last_item():
    tower = make_tower(averages=(0.0,))
    vectors, events, times = history()
    tower(vectors, events, times)
    tower.project.kernel.assign(tf.zeros_like(tower.project.kernel))
    np.testing.assert_allclose(tower(vectors, events, times)[:, 1:], vectors, atol=1e-6)


def test_mixed_precision_keeps_float32_weights():
    tower = make_tower(dtype="mixed_bfloat16", layers=2, averages=(0.9,))
    states = tower(*history())
    assert states.dtype == tf.bfloat16
    assert {weight.dtype for weight in tower.weights} == {tf.float32}
    assert len(tower.trainable_variables) == 12
    exact = make_tower(layers=2, averages=(0.9,))
    exact(*history())
    exact.set_weights(tower.get_weights())
    np.testing.assert_allclose(tf.cast(states, tf.float32), exact(*history()), atol=0.05)
