"""The popularity trend: a bias of every item, from its sales in several windows."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_config
from tfrec.towers.trend import PopularityTrend

LOG_SALES = np.array([[0, 0], [1.0, 2.0], [0.0, 3.0], [0.5, 0.5]], np.float32)


def filled(weights=(2.0, -1.0)):
    trend = PopularityTrend(num_ids=3, windows=2)
    trend.fill(LOG_SALES)
    trend.weights_of_windows.assign(weights)
    return trend


def test_worked_by_hand():
    # 2 * 1 - 2, 2 * 0 - 3 and 2 * 0.5 - 0.5; two items without a trained id count as unsold.
    np.testing.assert_allclose(filled()(6).numpy(), [0, 0, -3.0, 0.5, 0, 0])
    np.testing.assert_allclose(filled()(4).numpy(), [0, 0, -3.0, 0.5])


def test_unfilled_it_adds_nothing():
    assert not PopularityTrend(num_ids=3, windows=2)(5).numpy().any()


def test_nothing_is_trained_and_the_sales_are_what_is_counted():
    trend = filled()
    assert not trend.trainable_variables
    assert [variable.shape for variable in trend.counted] == [(4, 2)]


def test_config():
    check_config(filled, 4)


@pytest.mark.parametrize("size", [4, 6])
def test_in_a_graph_the_size_may_be_a_tensor(size):
    trend = filled()
    bias = tf.function(trend)(tf.constant(size))
    np.testing.assert_allclose(bias.numpy(), trend(size).numpy())
