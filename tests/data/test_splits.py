import numpy as np
import pytest

from tfrec.data.splits import DAY_MICROSECONDS, cut, leave_one_out, temporal, unused_events
from tfrec.errors import UserError

YES = np.ones(20, dtype=bool)


def test_temporal_periods_are_exactly_that_long():
    days = np.array([0.0, 69.9, 79.9, 80.1, 89.9, 90.1, 100.0])
    micros = (days * DAY_MICROSECONDS).astype(np.int64)
    periods = temporal(micros, valid_days=10, test_days=10)
    assert periods.period.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert periods.test_start == 90 * DAY_MICROSECONDS + 1_000_000
    assert periods.valid_start == 80 * DAY_MICROSECONDS + 1_000_000


@pytest.mark.parametrize(("days", "empty"), [([1, 2, 3], "train"), ([1, 50, 100], "valid")])
def test_an_empty_period_is_explained(days, empty):
    with pytest.raises(UserError, match=f"the {empty} period holds no events.*data.valid_days"):
        temporal(np.array(days) * DAY_MICROSECONDS, valid_days=10, test_days=10)


def test_leave_one_out_counts_target_events_only():
    #       user 0: three targets, one return between, one after   user 1: two targets
    user = np.array([0, 0, 0, 0, 0, 1, 1])
    target = np.array([True, True, False, True, False, True, True])
    assert leave_one_out(user, target).period.tolist() == [0, 1, 1, 2, 2, 0, 0]


def test_leave_one_out_needs_somebody_with_three_events():
    with pytest.raises(UserError, match="no shopper has three target events"):
        leave_one_out(np.array([0, 0, 1]), YES[:3])


def test_cuts_and_splits_of_each_shopper():
    user = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    period = np.array([0, 1, 2, 0, 0, 2, 1, 1])
    target = np.array([1, 1, 1, 1, 1, 1, 0, 1], dtype=bool)
    cuts = cut(user, period, target)
    assert cuts.start.tolist() == [0, 3, 5, 6]
    assert cuts.valid.tolist() == [1, 5, 5, 6]
    assert cuts.test.tolist() == [2, 5, 5, 8]
    assert cuts.end.tolist() == [3, 5, 6, 8]
    assert cuts.in_split.tolist() == [
        [True, True, False, False],
        [True, False, False, True],
        [True, False, True, False],
    ]


def test_events_in_no_record_are_found():
    user = np.array([0, 0, 1, 1, 2, 2, 2, 3])
    period = np.array([0, 2, 1, 2, 1, 2, 2, 1])
    target = np.array([1, 0, 0, 1, 1, 0, 0, 0], dtype=bool)
    # User 0 has only a return in test; user 1's return in validation is history of test; user
    # 2's returns in test follow a validation target; user 3 has only a return in validation.
    unused = unused_events(cut(user, period, target))
    assert unused.tolist() == [False, True, False, False, False, True, True, True]
