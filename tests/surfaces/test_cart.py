import numpy as np
import pytest
import tensorflow as tf

from tests.surfaces.logs import histories_of
from tfrec.errors import UserError
from tfrec.index.item_vectors import ItemVectors
from tfrec.surfaces.cart import Cart, CartTables
from tfrec.surfaces.cart_fitting import basket_scores, regression_scores
from tfrec.surfaces.orders import Baskets, Orders

# Item 1 speaks for 2 (.5) and against 3 (-.25), item 2 for 1 (1.0); item 4 came later.
TABLES = CartTables(
    nearest=np.array([[0, 0], [2, 3], [1, 0], [0, 0]], np.int32),
    values=np.array([[0, 0], [0.5, -0.25], [1, 0], [0, 0]], np.float32),
    log_sales=np.array([[0, 0, 0], [1, 2, 3], [0, 1, 1], [0, 0, 2]], np.float32),
    mix=np.array([2, 10, 0.1, 0, 1], np.float32),
)
VECTORS = np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], np.float32)


def scores(*baskets):
    vectors = ItemVectors(tf.constant(VECTORS))
    return Cart(TABLES).scores(tf.constant(baskets, tf.int64), vectors).numpy()[:, 1:]


SALES = np.array([0.1 + 3, 0 + 1, 2, 0])


def test_scores_are_the_weighted_sum_of_the_parts():
    cosines = VECTORS[1:] @ [1, 0]
    expected = 2 * np.array([0, 0.5, -0.25, 0]) + 10 * cosines + SALES
    np.testing.assert_allclose(scores([1, 0])[0], expected, rtol=1e-5)


def test_items_of_a_basket_add_up():
    cosines = VECTORS[1:] @ np.array([1, 1]) / np.sqrt(2)
    expected = 2 * np.array([1, 0.5, -0.25, 0]) + 10 * cosines + SALES
    np.testing.assert_allclose(scores([1, 2])[0], expected, rtol=1e-5)


def test_an_item_twice_counts_once():
    np.testing.assert_allclose(scores([1, 2, 1, 1])[0], scores([1, 2, 0, 0])[0], rtol=1e-5)


def test_rows_of_a_batch_do_not_touch_each_other():
    together = scores([1, 0], [2, 1], [0, 0])
    for row, basket in zip(together, ([1, 0], [2, 1], [0, 0]), strict=True):
        np.testing.assert_allclose(row, scores(basket)[0], rtol=1e-5)


def test_an_empty_basket_has_what_sells():
    np.testing.assert_allclose(scores([0])[0], SALES, rtol=1e-5)


def test_a_new_product_speaks_by_its_vector_alone():
    cosines = VECTORS[1:] @ VECTORS[4]
    np.testing.assert_allclose(scores([4])[0], 10 * cosines + SALES, rtol=1e-5)


def test_fitting_computes_what_the_graph_does():
    events = [(0, 1, 1, 5), (0, 2, 1, 5), (0, 3, 1, 5), (1, 1, 1, 5), (1, 4, 1, 5)]
    orders = Orders.of_histories(histories_of(events), [1], num_items=4)
    baskets = Baskets.of(orders, lines=3, seed=0)
    nearest, values = (np.pad(table, [[0, 1], [0, 0]]) for table in (TABLES.nearest, TABLES.values))
    plain = CartTables(
        nearest, values, np.zeros((5, 3), np.float32), np.eye(5, dtype=np.float32)[0]
    )
    served = basket_scores(Cart(plain), baskets, VECTORS)
    shown = np.isfinite(served)
    np.testing.assert_allclose(regression_scores(nearest, values, baskets)[shown], served[shown])
    assert shown.sum() == sum(4 - size for size in np.diff(baskets.items.indptr))


def test_tables_come_back_from_a_file(tmp_path):
    TABLES.save(tmp_path / "cart.npz")
    again = CartTables.load(tmp_path / "cart.npz")
    for name, values in vars(TABLES).items():
        np.testing.assert_array_equal(getattr(again, name), values)


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "cart.npz").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="is damaged; make it again with `tfrec train surfaces"):
        CartTables.load(tmp_path / "cart.npz")
