import numpy as np

from tests.evaluation.small_shop import make_histories
from tfrec.data.item_counts import item_counts, log_counts

DAY = 86_400


def log_of_days(days):
    """Items 1, 2, 1, a return of 3, and 3; `days` ago."""
    log = make_histories([[1, 2], [1, (3, 2), 3]])
    log.timestamp[:] = 100 * DAY - np.array(days) * DAY
    return log


def test_events_of_the_types_asked_for_count():
    log = log_of_days([0, 0, 0, 0, 0])
    assert item_counts(log, 5, [1]).tolist() == [0, 2, 1, 1, 0]
    assert item_counts(log, 5, [2]).tolist() == [0, 0, 0, 1, 0]
    assert item_counts(log, 5, [1, 2]).tolist() == [0, 2, 1, 2, 0]


def test_a_window_ends_with_the_last_event_of_any_type():
    # The return is the last event; an event of exactly seven days before is outside of seven days.
    log = log_of_days([6, 7, 30, 0, 1])
    assert item_counts(log, 4, [1], days=7).tolist() == [0, 1, 0, 1]
    assert item_counts(log, 4, [1], days=8).tolist() == [0, 1, 1, 1]


def test_without_timestamps_every_event_is_recent():
    assert item_counts(log_of_days([100] * 5), 4, [1], days=1).tolist() == [0, 2, 1, 1]


def test_an_empty_log():
    assert item_counts(make_histories([[]]), 3, [1], days=7).tolist() == [0, 0, 0]


def test_logarithms_by_window():
    found = log_counts(log_of_days([6, 7, 30, 0, 1]), 4, [1], [7, None])
    expected = np.log1p([[0, 0], [1, 2], [0, 1], [1, 1]])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
