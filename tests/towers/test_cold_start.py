"""How items of few sales are asked for, worked by hand."""

import numpy as np
import tensorflow as tf

from tests.layer_checks import check_config, check_saved_model
from tfrec.towers.cold_start import ColdStart

QUERIES = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32)
VECTORS = np.array(
    [
        [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]],
        [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]],
        [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
    ],
    np.float32,
)
HITS = np.array([[True, True, False], [True, False, True], [False, False, False]])


def fitted():
    part = ColdStart(num_ids=3)
    part.fill(np.array([0.0, 0.0, 20.0, 60.0]))
    part.fit(share=0.4, pseudo_sales=20.0, decay=0.75, bonus=0.05)
    return part


def test_the_way_from_query_to_profile_worked_by_hand():
    # The last hit weighs 1, the one before .75: both profiles are (1, .75) / 1.25. What is no hit
    # between them takes no step, and who has no hit stays where he is.
    ways = fitted()(QUERIES, VECTORS, HITS).numpy()
    np.testing.assert_allclose(ways, [[-0.2, 0.6], [0.2, -0.2], [0.0, 0.0]], atol=1e-6)


def test_weight_and_bonus_fall_with_sales():
    # .4 * 20 / (20 + n) and .05 / 2**n; the two items without an id count as unsold.
    part = fitted()
    weights = part.weights_of_items(6).numpy()
    np.testing.assert_allclose(weights, [0.4, 0.4, 0.2, 0.1, 0.4, 0.4], rtol=1e-6)
    bonus = part.bonus_of_items(tf.constant(6)).numpy()
    np.testing.assert_allclose(bonus, [0.05, 0.05, 0.05 / 2**20, 0.0, 0.05, 0.05], atol=1e-10)


def test_before_it_is_fitted_it_changes_no_score():
    part = ColdStart(num_ids=3)
    assert not part.weights_of_items(5).numpy().any()
    assert not part.bonus_of_items(5).numpy().any()


def test_nothing_is_trained_and_the_sales_are_what_is_counted():
    part = fitted()
    assert not part.trainable_variables
    assert [variable.shape for variable in part.counted] == [(4,)]


def test_config_and_saved_model():
    inputs = (tf.constant(QUERIES), tf.constant(VECTORS), tf.constant(HITS))
    check_config(fitted, inputs)
    check_saved_model(fitted, inputs)
