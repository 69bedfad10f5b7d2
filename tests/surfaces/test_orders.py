import numpy as np

from tests.surfaces.logs import histories_of
from tfrec.surfaces.orders import Baskets, Orders

PURCHASE, VIEW = 1, 2
# (shopper, item, event, time): two orders of the first shopper, one of the second; a view.
EVENTS = [
    (0, 3, PURCHASE, 10),
    (0, 1, PURCHASE, 10),
    (0, 1, PURCHASE, 10),
    (0, 2, PURCHASE, 20),
    (0, 4, VIEW, 20),
    (1, 2, PURCHASE, 10),
    (1, 5, PURCHASE, 10),
]


def test_an_order_is_what_a_shopper_chose_at_one_moment():
    orders = Orders.of_histories(histories_of(EVENTS), [PURCHASE], num_items=5)
    assert orders.items.toarray().tolist() == [
        [0, 1, 0, 1, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 1],
    ]
    assert orders.timestamp.tolist() == [10, 20, 10]
    assert orders.shopper.tolist() == [0, 0, 1]
    assert orders.sizes.tolist() == [2, 1, 2]


def test_targets_make_orders_like_histories():
    later = histories_of(EVENTS, targets=True)
    orders = Orders.of_targets(later, [PURCHASE, VIEW], num_items=5)
    assert orders.sizes.tolist() == [2, 2, 2]


def test_events_without_a_time_are_no_order():
    timeless = [(shopper, item, event, 0) for shopper, item, event, _ in EVENTS]
    assert len(Orders.of_histories(histories_of(timeless), [PURCHASE], num_items=5)) == 0


def test_one_line_of_every_order_of_several_is_hidden():
    orders = Orders.of_histories(histories_of(EVENTS), [PURCHASE], num_items=5)
    baskets = Baskets.of(orders, seed=1)
    assert baskets.order.tolist() == [0, 2]
    whole = baskets.items.toarray()
    np.add.at(whole, (np.arange(2), baskets.hidden), 1)
    assert whole.tolist() == orders.items[[0, 2]].toarray().tolist()
    again = Baskets.of(orders, seed=1)
    assert again.hidden.tolist() == baskets.hidden.tolist()


def test_several_lines_are_hidden_one_at_a_time():
    orders = Orders.of_histories(histories_of(EVENTS), [PURCHASE], num_items=5)
    baskets = Baskets.of(orders, lines=9, seed=1)
    assert baskets.order.tolist() == [0, 0, 2, 2]
    assert sorted(baskets.hidden[:2].tolist()) == [1, 3]
    assert baskets.select(np.array([3])).hidden.tolist() == [baskets.hidden[3]]
    assert np.diff(baskets.items.indptr).tolist() == [1, 1, 1, 1]


def test_no_order_makes_no_basket():
    orders = Orders.of_histories(histories_of([(0, 1, PURCHASE, 10)]), [PURCHASE], num_items=5)
    assert len(Baskets.of(orders, seed=1)) == 0
