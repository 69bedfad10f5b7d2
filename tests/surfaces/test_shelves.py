import numpy as np
import tensorflow as tf

from tfrec.surfaces.shelves import NEVER_SEEN, ShelfTables, Shelves

TABLES = ShelfTables(
    group=np.array([0, 1, 1, 2, 3], np.int32),
    trend=np.array([0, 2, -1, 3, 4], np.float32),
    age=np.array([0, 90, 10, 61, NEVER_SEEN], np.float32),
)
# The fifth item came later, and is described like the third.
TEXTS = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0], [0.1, 0.9]], np.float32)
SHELVES = Shelves(TABLES, TEXTS, new_days=60)
HISTORIES = tf.constant([[1, 2, 2, 3], [0, 0, 0, 0], [4, 0, 0, 0]], tf.int64)


def test_shares_are_those_of_the_groups_of_the_history():
    np.testing.assert_allclose(
        SHELVES.shares(HISTORIES), [[0, 0.75, 0.25, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    )
    np.testing.assert_allclose(SHELVES.visited(HISTORIES)[0], [0, 0.75, 0.75, 0.25, 0, 0.25])


def test_what_trends_is_of_the_kinds_of_the_history_and_of_all_without_one():
    assert SHELVES.trending(HISTORIES).numpy().tolist() == [
        [False, True, False, True, False, False],
        [False, True, False, True, True, False],
        [False, False, False, False, True, False],
    ]


def test_new_is_what_came_lately_or_never_was_in_the_log():
    assert SHELVES.new.numpy()[1:].tolist() == [False, True, False, True, True]


def test_a_long_history_takes_no_more_memory_than_its_items():
    items = tf.constant(np.arange(100_000)[np.newaxis] % 5 + 1, tf.int64)
    np.testing.assert_allclose(tf.reduce_sum(SHELVES.shares(items)), 1.0, rtol=1e-5)
