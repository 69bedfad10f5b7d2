"""What an item is worth."""

import numpy as np
import tensorflow as tf

from tfrec.rerank.value import LEAST_MARGIN, margin_factors, task_value

CHANCES = {
    "view": tf.constant([[0.5, 0.2]]),
    "purchase": tf.constant([[0.1, 0.4]]),
    "return": tf.constant([[0.0, 0.5]]),
}


def test_a_purchase_that_is_kept():
    value = task_value(CHANCES, ["purchase"], {}, "return", 1.0)
    np.testing.assert_allclose(value, [[0.1, 0.2]])


def test_events_have_weights_and_a_return_takes_a_share():
    value = task_value(CHANCES, ["view", "purchase"], {"view": 0.1}, "return", 0.5)
    np.testing.assert_allclose(value, [[0.05 + 0.1, (0.02 + 0.4) * 0.75]])


def test_a_log_without_returns():
    np.testing.assert_allclose(task_value(CHANCES, ["purchase"], {}, None, 1.0), [[0.1, 0.4]])


def test_margins_count_relative_to_the_median():
    found = margin_factors(np.array([2.0, 4.0, 8.0, np.nan, -3.0, 0.0]), 2.0)
    floor = LEAST_MARGIN**2
    np.testing.assert_allclose(found, [0.25, 1.0, 4.0, 1.0, floor, floor], rtol=1e-5)
    assert found.dtype == np.float32


def test_without_a_power_or_a_margin_all_count_alike():
    assert (margin_factors(np.array([1.0, 5.0, -1.0]), 0.0) == 1).all()
    assert (margin_factors(np.array([np.nan, -1.0]), 2.0) == 1).all()
