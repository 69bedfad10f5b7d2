"""What was chosen shortly before an item, worked by hand."""

import pytest

from tests.evaluation.small_shop import make_histories
from tfrec.data.succession import WINDOW, predecessors


def before(pasts, item, *, width=10, count=9):
    links = predecessors(make_histories(pasts), width, [1], count)
    pairs = zip(*(values[item].tolist() for values in links), strict=True)
    return {other: pytest.approx(weight) for other, weight in pairs if other}


def test_nearer_ones_count_more():
    assert before([[1, 2, 3]], 3) == {2: 1.0, 1: 0.5}
    assert before([[1, 2, 3]], 1) == {}


def test_shoppers_and_repeats_add_up():
    assert before([[1, 3], [1, 3], [1, 2, 3], [1, 3, 3]], 3) == {1: 3 + 0.5 + 0.5, 2: 1.0}


def test_no_item_follows_itself_or_another_shopper():
    assert before([[3, 3], [2], [3]], 3) == {}


def test_only_hits_count_and_take_up_steps():
    # The return of 2 lies between 1 and 3, and is as if it were not there.
    assert before([[1, (2, 2), 3]], 3) == {1: 1.0}


def test_the_window_ends():
    past = list(range(1, WINDOW + 3))
    found = before([past], past[-1])
    assert sorted(found) == past[1:-1]
    assert found[past[1]] == 1 / WINDOW


def test_the_most_frequent_are_kept_and_a_log_may_be_empty():
    assert before([[1, 3], [1, 3], [2, 3]], 3, count=1) == {1: 2.0}
    assert before([[], [1]], 1) == {}
