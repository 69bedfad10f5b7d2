import numpy as np

from tests.surfaces.logs import histories_of
from tfrec.surfaces.opening import buyers_of_late, diverse_order

DAY = 86_400


def test_shares_are_of_the_shoppers_of_the_window():
    log = histories_of(
        [
            *[(0, 1, 1, 0), (0, 1, 1, 50 * DAY), (0, 1, 1, 50 * DAY), (1, 2, 1, 51 * DAY)],
            *[(1, 1, 2, 51 * DAY), (2, 2, 1, 60 * DAY)],
        ]
    )
    np.testing.assert_allclose(buyers_of_late(log, 4, [1], None), [0, 1 / 3, 2 / 3, 0])
    np.testing.assert_allclose(buyers_of_late(log, 4, [1], 5), [0, 0, 1, 0])
    np.testing.assert_allclose(buyers_of_late(log, 4, [3], None), np.zeros(4))


def test_without_diversity_the_order_is_that_of_the_values():
    values = np.array([0.1, 0.5, 0.5, 0.0, 0.9])
    vectors = np.eye(5)
    assert diverse_order(values, vectors, 0.0).tolist() == [4, 1, 2, 0, 3]


def test_an_item_like_one_before_stands_lower():
    values = np.array([1.0, 0.9, 0.7])
    vectors = np.array([[1, 0], [1, 0.01], [0, 1]])
    assert diverse_order(values, vectors, 0.1).tolist() == [0, 1, 2]
    # .6 * .9 less .4 is below .6 * .7.
    assert diverse_order(values, vectors, 0.4).tolist() == [0, 2, 1]


def test_every_item_stands_somewhere_once():
    random = np.random.default_rng(0)
    values, vectors = random.random(500), random.normal(size=(500, 4))
    assert sorted(diverse_order(values, vectors, 0.3).tolist()) == list(range(500))
    assert diverse_order(np.zeros(3), np.zeros((3, 2)), 0.3).tolist() == [0, 1, 2]
