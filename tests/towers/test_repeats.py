"""The repeat bonus: learned numbers for how often and how lately an item was had."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.towers.repeats import NUM_BUCKETS, RepeatBonus

DAY = 86_400
SIZE = 6


class OfSixItems(RepeatBonus):
    """The bonus over a catalogue of fixed size, so that all inputs are tensors."""

    def call(self, items, timestamps, seen):
        return super().call(items, timestamps, seen, SIZE)


def inputs():
    items = tf.constant([[1, 2, 1, 0], [3, 3, 3, 5]], tf.int64)
    times = tf.constant([[1, 1, 1, 0], [1, 2, 30, 90]], tf.int64) * DAY
    return items, times, tf.constant([3, 4], tf.int64)


def test_layer_checks():
    check_layer(lambda: OfSixItems(num_ids=4), inputs())


def bonus(seen=None, size=SIZE, **tables):
    """The bonus of the example, with the given tables and zeros in the others."""
    layer = RepeatBonus(num_ids=4)
    items, times, all_seen = inputs()
    seen = all_seen if seen is None else tf.constant(seen, tf.int64)
    layer(items, times, seen, size)
    for name, values in tables.items():
        table = getattr(layer, name)
        table.assign(np.pad(np.float32(values), (0, table.shape[0] - len(values))))
    return layer(items, times, seen, size).numpy()


def test_untrained_bonus_is_zero():
    assert not bonus().any()
    assert bonus().shape == (2, SIZE)


def test_by_item():
    # Item 5 has no number of its own.
    found = bonus(by_item=[9, 10, 20, 30, 40])
    assert found.tolist() == [[0, 10, 20, 0, 0, 0], [0, 0, 0, 30, 0, 9]]


def test_by_count():
    # Once is bucket 0, twice 1 (1.6 to 2.56), three times 2 (2.56 to 4.096).
    found = bonus(by_count=[1, 2, 3])
    assert found.tolist() == [[0, 2, 1, 0, 0, 0], [0, 0, 0, 3, 0, 1]]


def test_by_steps_since_the_last_time():
    # Item 1 was last had 1 step ago, item 2 two steps, item 3 two, item 5 one.
    found = bonus(by_steps=[1, 2, 3])
    assert found.tolist() == [[0, 1, 2, 0, 0, 0], [0, 0, 0, 2, 0, 1]]


def test_by_days_since_the_last_time():
    # 1 + 60 days is bucket 8: 1.6 ** 8 is 43, 1.6 ** 9 is 69.
    found = bonus(by_days=[1, 0, 0, 0, 0, 0, 0, 0, 7])
    assert found.tolist() == [[0, 1, 1, 0, 0, 0], [0, 0, 0, 7, 0, 1]]


def test_tables_add_up():
    tables = {"by_item": [0, 5, 6, 7], "by_count": [1, 2, 3], "by_steps": [10, 20]}
    total = sum(bonus(**{name: values}) for name, values in tables.items())
    np.testing.assert_allclose(bonus(**tables), total)


def test_later_events_are_not_seen():
    found = bonus(seen=[0, 2], by_count=[1, 2, 3], by_days=[10, 20])
    # The shopper at 2 sees item 3 twice, on days 1 and 2, and asks on day 2.
    assert found.tolist() == [[0] * 6, [0, 0, 0, 12, 0, 0]]


@pytest.mark.parametrize("steps", [1, 5000])
def test_any_age_has_a_bucket(steps):
    layer = RepeatBonus(num_ids=4)
    items = tf.concat([[[2]], tf.ones([1, steps], tf.int64)], axis=1)
    seen = tf.constant([steps + 1], tf.int64)
    layer(items, items * 0, seen, SIZE)
    layer.by_steps.assign(np.arange(NUM_BUCKETS))
    bucket = min(int(np.log(steps + 1) / np.log(1.6)), NUM_BUCKETS - 1)
    found = layer(items, items * 0, seen, SIZE).numpy()
    assert found.tolist() == [[0, 0, bucket, 0, 0, 0]]
