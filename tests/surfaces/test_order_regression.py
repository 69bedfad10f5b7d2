import numpy as np
import pytest
from scipy import sparse

from tfrec.surfaces import order_regression
from tfrec.surfaces.order_regression import RegressionSettings, regression_weights

ORDERS = sparse.csr_matrix(
    np.array([[0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 0], [0, 1, 0, 0, 0]], dtype=np.float32)
)


def dense(nearest, values):
    weights = np.zeros((len(nearest), len(nearest)))
    rows = np.repeat(np.arange(len(nearest)), nearest.shape[1])
    weights[rows, nearest.ravel()] += values.ravel()
    return weights


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_every_item_is_a_ridge_regression_on_the_others(exponent):
    settings = RegressionSettings(penalty=2.0, length_exponent=exponent)
    weights = dense(*regression_weights(ORDERS, settings, neighbours=4))
    lines = ORDERS.toarray().astype(float)
    sizes = lines.sum(axis=1)
    importance = sizes**-exponent
    importance /= (importance * sizes).sum() / sizes.sum()
    for item in (1, 2, 3):
        others = [other for other in (1, 2, 3) if other != item]
        inputs, output = lines[:, others], lines[:, item]
        gram = inputs.T @ (importance[:, np.newaxis] * inputs) + 2.0 * np.eye(2)
        expected = np.linalg.solve(gram, inputs.T @ (importance * output))
        np.testing.assert_allclose(weights[others, item], expected, rtol=1e-4)
    assert np.all(np.diag(weights) == 0)
    # Item 4 was never ordered, so nothing is known of it.
    assert np.all(weights[4] == 0) and np.all(weights[:, 4] == 0)


def test_only_the_largest_weights_are_kept():
    settings = RegressionSettings(penalty=2.0, length_exponent=0.0)
    every = dense(*regression_weights(ORDERS, settings, neighbours=4))
    nearest, values = regression_weights(ORDERS, settings, neighbours=1)
    assert nearest.shape == (5, 1)
    assert nearest[1:4, 0].tolist() == np.abs(every[1:4]).argmax(axis=1).tolist()
    np.testing.assert_allclose(np.abs(values[1:4, 0]), np.abs(every[1:4]).max(axis=1))


def test_rare_items_are_left_out_of_a_large_catalogue(monkeypatch):
    monkeypatch.setattr(order_regression, "MOST_ITEMS", 2)
    settings = RegressionSettings(penalty=2.0, length_exponent=0.0)
    weights = dense(*regression_weights(ORDERS, settings, neighbours=4))
    assert weights[1, 2] > 0
    assert np.all(weights[3] == 0) and np.all(weights[:, 3] == 0)


def test_a_log_without_orders_says_nothing():
    empty = sparse.csr_matrix((0, 5), dtype=np.float32)
    nearest, values = regression_weights(empty, RegressionSettings(), neighbours=3)
    assert nearest.shape == values.shape == (5, 3)
    assert not nearest.any() and not values.any()
