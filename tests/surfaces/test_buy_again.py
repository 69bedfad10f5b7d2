import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.surfaces.buy_again import (
    FARTHEST,
    FEATURES,
    NOT_BOUGHT,
    OWN_WEIGHT,
    USUAL_ORDER_GAP,
    AgainTables,
    BuyAgain,
)
from tfrec.surfaces.buy_again_fitting import INTERVAL_SHRINKAGE, shrunk_medians

DAY = 86_400
BUY, BACK = 1, 2
TABLES = AgainTables(
    log_interval=np.log(np.array([30, 10, 60, 5], np.float32)),
    repeat_logit=np.array([-2, 1, -1, 0.5], np.float32),
    log_recent=np.array([0, 2, 1, 3], np.float32),
    weights=np.linspace(-1, 1, len(FEATURES)).astype(np.float32),
    purchase_event=np.array(BUY),
    return_event=np.array(BACK),
)
SIZE = 6


def asked(rows, now):
    """Asks with rows of (item, event, day) a shopper."""
    width = max(1, *(len(row) for row in rows))
    padded = np.zeros((len(rows), width, 3), np.int64)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = np.array(row).reshape(-1, 3)
    items, events, days = (tf.constant(padded[..., column]) for column in range(3))
    again = BuyAgain(TABLES)(items, events, days * DAY + 60, tf.constant(now, tf.int64), SIZE)
    return [values.numpy() for values in again]


def expected(row, today, item):
    """Computes one pair by hand."""
    days = sorted({day for one, event, day in row if one == item and event == BUY})
    orders = sorted({day for _, event, day in row if event == BUY})
    known = item if item < len(TABLES.log_interval) else 0
    count = len(days)
    gaps = (count - 1) * np.log(max((days[-1] - days[0]) / max(count - 1, 1), 1.0))
    interval = (OWN_WEIGHT * TABLES.log_interval[known] + gaps) / (OWN_WEIGHT + count - 1)
    age = max(today - days[-1], 0)
    late = np.clip(np.log(age + 1) - interval, -FARTHEST, FARTHEST)
    between = (orders[-1] - orders[0]) / (len(orders) - 1) if len(orders) > 1 else USUAL_ORDER_GAP
    features = [1, TABLES.repeat_logit[known], np.log(count), np.log1p(age), late, late**2]
    features += [np.log(len(orders)), np.log1p(today - orders[-1]), count / len(orders)]
    features += [TABLES.log_recent[known], np.log1p(between), interval]
    return np.dot(features, TABLES.weights), np.exp(interval), np.exp(interval) - age


SHOPPER = [(1, BUY, 100), (2, BUY, 100), (1, BUY, 100), (1, BUY, 112), (3, BUY, 130), (1, BUY, 130)]
LATER = [(5, BUY, 7), (2, BUY, 9)]


def test_the_graph_computes_what_the_formula_says():
    logits, interval, due_in = asked([SHOPPER, LATER], [140 * DAY, 50 * DAY])
    for row, (events, today) in enumerate([(SHOPPER, 140), (LATER, 50)]):
        bought = {item for item, _, _ in events}
        for item in range(1, SIZE):
            if item not in bought:
                assert logits[row, item] == np.float32(NOT_BOUGHT)
                continue
            found = (logits[row, item], interval[row, item], due_in[row, item])
            np.testing.assert_allclose(found, expected(events, today, item), rtol=2e-5)


def test_now_is_the_last_event_where_it_is_not_given():
    given = asked([SHOPPER, LATER], [130 * DAY + 60, 9 * DAY + 60])
    for one, other in zip(asked([SHOPPER, LATER], [0, 0]), given, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_shorter_own_interval_is_due_earlier():
    row = [(1, BUY, day) for day in range(0, 40, 4)]
    _, interval, due_in = asked([row], [40 * DAY])
    assert 4 < interval[0, 1] < 10
    assert due_in[0, 1] == pytest.approx(interval[0, 1] - 4)


def test_what_was_sent_back_is_not_bought_again():
    logits, *_ = asked([[*SHOPPER, (3, BACK, 131), (1, BACK, 131)]], [0])
    assert logits[0, 3] == np.float32(NOT_BOUGHT)
    assert logits[0, 1] > NOT_BOUGHT


def test_rows_do_not_touch_each_other_and_empty_ones_have_nothing():
    together, *_ = asked([SHOPPER, [], LATER], [0, 0, 0])
    alone, *_ = asked([LATER], [0])
    np.testing.assert_allclose(together[2], alone[0], rtol=1e-6)
    assert (together[1] == np.float32(NOT_BOUGHT)).all()
    assert (asked([[]], [0])[0] == np.float32(NOT_BOUGHT)).all()


def test_a_shopper_with_a_hundred_thousand_events():
    days = np.arange(100_000) // 30
    items = np.arange(100_000) % (SIZE - 1) + 1
    row = np.stack([items, np.full(100_000, BUY), days], axis=1)
    logits, interval, _ = asked([row], [0])
    assert np.isfinite(logits[0, 1:]).all() and (logits[0, 1:] > NOT_BOUGHT).all()
    # Every item is bought every day.
    np.testing.assert_allclose(interval[0, 1:], 1.0, atol=0.05)


def test_medians_are_shrunk_towards_that_of_all():
    item = np.array([1, 1, 1, 3, 3])
    gaps = np.log(np.array([2.0, 4.0, 8.0, 16.0, 64.0]))
    found = shrunk_medians(item, gaps, 4)
    of_all = np.log(8.0)
    own = np.array([0, np.log(4.0), 0, (np.log(16.0) + np.log(64.0)) / 2])
    counts = np.array([0, 3, 0, 2])
    shrunk = (counts * own + INTERVAL_SHRINKAGE * of_all) / (counts + INTERVAL_SHRINKAGE)
    np.testing.assert_allclose(found, shrunk, rtol=1e-6)


def test_tables_come_back_from_a_file_and_damage_is_told(tmp_path):
    TABLES.save(tmp_path / "again.npz")
    again = AgainTables.load(tmp_path / "again.npz")
    for name, values in vars(TABLES).items():
        np.testing.assert_array_equal(getattr(again, name), values)
    (tmp_path / "again.npz").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="is damaged; make it again"):
        AgainTables.load(tmp_path / "again.npz")
