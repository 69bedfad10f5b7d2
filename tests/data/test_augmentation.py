"""What is left out of histories, what swaps places in them, and what never does."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.data.augmentation import left_out, reordered

LENGTHS = np.array([5, 3, 1, 10])
START = tf.constant(np.cumsum([0, *LENGTHS[:-1]]), tf.int64)
WINDOW = tf.constant(np.repeat(np.arange(4), LENGTHS), tf.int64)
EVENTS = np.arange(1, LENGTHS.sum() + 1)
PLACE = np.concatenate([np.arange(length) for length in LENGTHS])


def key(number):
    return tf.constant([7, number], tf.int64)


def by_window(values):
    return np.split(np.asarray(values), np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize(("share", "parts"), [(0.5, [2, 1, 0, 5]), (1.0, [5, 3, 1, 10])])
def test_so_many_events_in_a_row_are_put_in_any_order(share, parts):
    firsts = set()
    for number in range(30):
        order = reordered(START, WINDOW, share, key(number)).numpy()
        for window, (found, part) in enumerate(zip(by_window(order), parts, strict=True)):
            kept = by_window(np.arange(len(EVENTS)))[window]
            assert sorted(found) == kept.tolist()
            moved = np.flatnonzero(found != kept)
            assert np.ptp(moved) < part if len(moved) else True
            if window == 3 and len(moved):
                firsts.add(int(moved[0]))
    assert len(firsts) > 3 or share == 1.0


def test_a_share_of_less_than_two_events_leaves_the_order():
    order = reordered(START, WINDOW, 0.1, key(0))
    assert order.numpy().tolist() == list(range(len(EVENTS)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_those_that_stay_close_ranks_and_states_count_them(share):
    columns = {"item": tf.constant(EVENTS), "event": tf.constant(10 * EVENTS)}
    kinds = set()
    for number in range(10):
        read, state = left_out(columns, tf.constant(PLACE), START, WINDOW, share, key(number))
        assert (read["event"].numpy() == 10 * read["item"].numpy()).all()
        whole = by_window(EVENTS)
        for window, items in enumerate(by_window(read["item"])):
            stays = items[items > 0].tolist()
            assert items.tolist() == stays + [0] * (len(items) - len(stays))
            assert stays == [item for item in whole[window].tolist() if item in stays]
            assert stays[0] == whole[window][0]
            expected = [sum(item < event for item in stays) for event in whole[window]]
            assert by_window(state)[window].tolist() == expected
            kinds.add(tuple(stays))
    assert len(kinds) > 4 or share == 0.999


def test_as_many_are_left_out_as_asked():
    count = 20_000
    window = tf.repeat(tf.range(count // 10, dtype=tf.int64), 10)
    start = tf.range(0, count, 10, dtype=tf.int64)
    columns = {"item": tf.ones([count], tf.int64)}
    read, _ = left_out(columns, tf.zeros([count], tf.int64), start, window, 0.3, key(0))
    # The first of every ten stays.
    assert float(tf.reduce_mean(tf.cast(read["item"], tf.float64))) == pytest.approx(0.73, abs=0.01)


def test_no_events_at_all():
    none = tf.zeros([0], tf.int64)
    read, state = left_out({"item": none}, none, none, none, 0.5, key(0))
    assert read["item"].shape == state.shape == reordered(none, none, 0.5, key(0)).shape == [0]
