import numpy as np
import tensorflow as tf

from tfrec.index.exact import NEVER, best_items, hide_items, hide_unavailable

SCORES = tf.constant([[9.0, 0.3, 0.1, 0.2], [9.0, -0.5, 0.4, 0.0]])


def test_hidden_items_and_column_0_fall_below_all_others():
    hidden = hide_items(SCORES, tf.constant([[1, 0], [2, 3]], tf.int64)).numpy()
    never = np.float32(NEVER)
    np.testing.assert_array_equal(
        hidden, np.float32([[never, never, 0.1, 0.2], [never, -0.5, never, never]])
    )


def test_nothing_to_hide_hides_column_0():
    hidden = hide_items(SCORES, tf.zeros([2, 0], tf.int64)).numpy()
    assert (hidden[:, 0] == np.float32(NEVER)).all()
    np.testing.assert_array_equal(hidden[:, 1:], SCORES[:, 1:])


def test_unavailable_items_are_hidden_for_everyone():
    hidden = hide_unavailable(SCORES, tf.constant([False, True, False, True])).numpy()
    never = np.float32(NEVER)
    np.testing.assert_array_equal(
        hidden, np.float32([[never, 0.3, never, 0.2], [never, -0.5, never, 0.0]])
    )


def test_best_items_come_first_and_hidden_ones_are_no_items():
    hidden = hide_items(SCORES, tf.constant([[1], [0]], tf.int64))
    scores, items = best_items(hidden, 3)
    assert items.numpy().tolist() == [[3, 2, 0], [2, 3, 1]]
    np.testing.assert_allclose(scores[0, :2], [0.2, 0.1])
    assert scores[0, 2] == NEVER


def test_a_catalogue_smaller_than_k_is_filled_with_item_0():
    scores, items = best_items(hide_items(SCORES, tf.zeros([2, 1], tf.int64)), 6)
    assert items.shape == scores.shape == (2, 6)
    assert items.numpy().tolist() == [[1, 3, 2, 0, 0, 0], [2, 3, 1, 0, 0, 0]]
    assert (scores.numpy()[:, 3:] == np.float32(NEVER)).all()


def test_equal_scores_are_ordered_by_item():
    _, items = best_items(tf.constant([[NEVER, 0.5, 0.5, 0.5]]), 3)
    assert items.numpy().tolist() == [[1, 2, 3]]


def test_against_numpy():
    random = np.random.default_rng(0)
    scores = random.normal(size=(20, 101)).astype(np.float32)
    gone = random.integers(0, 101, (20, 30))
    _, items = best_items(hide_items(tf.constant(scores), tf.constant(gone)), 10)
    for row in range(20):
        allowed = [i for i in np.argsort(-scores[row]) if i and i not in gone[row]]
        assert items[row].numpy().tolist() == allowed[:10]
