"""Statistics of the training log, worked by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.evaluation.small_shop import make_histories
from tfrec.data.log_statistics import ITEM_STATISTICS, RETURN_PRIOR, LogStatistics

DAY = 86_400
END = 1_000 * DAY


def make_dataset(pasts, num_items, days=None, return_event=2):
    """A data set of shoppers' pasts; `days` is how long before the end each event was."""
    histories = make_histories(pasts)
    if days is not None:
        histories.timestamp[:] = END - np.array(days) * DAY
    return SimpleNamespace(
        num_items=num_items,
        target_event_indices=[1],
        return_event_index=return_event,
        log_before=lambda split: {"valid": histories}[split],
    )


def column(statistics, name):
    return statistics.items[:, ITEM_STATISTICS.index(name)]


def neighbours_of(statistics, item):
    pairs = zip(*(table[item].tolist() for table in statistics.neighbours), strict=True)
    return {other: pytest.approx(float(cosine)) for other, cosine in pairs if other}


def test_neighbours_are_by_cosine_over_shoppers():
    # Item 1: shoppers A, B, C. Item 2: A, B. Item 3: C. Item 4: D, alone. A has item 1 twice.
    dataset = make_dataset([[1, 2, 1], [2, 1], [3, 1], [4]], 5)
    found = LogStatistics.build(dataset, 3)
    assert found.neighbours.items.shape == found.neighbours.weights.shape == (6, 3)
    assert neighbours_of(found, 1) == {2: 2 / np.sqrt(6), 3: 1 / np.sqrt(3)}
    assert neighbours_of(found, 2) == {1: 2 / np.sqrt(6)}
    assert neighbours_of(found, 3) == {1: 1 / np.sqrt(3)}
    assert neighbours_of(found, 4) == neighbours_of(found, 5) == neighbours_of(found, 0) == {}
    # No neighbour, no similarity.
    assert not found.neighbours.weights[found.neighbours.items == 0].any()


def test_only_the_nearest_neighbours_are_kept():
    dataset = make_dataset([[1, 2, 3], [1, 2], [1, 2, 4]], 4)
    found = LogStatistics.build(dataset, 1)
    assert neighbours_of(found, 1) == {2: 1.0}
    assert neighbours_of(found, 2) == {1: 1.0}


def test_sales_are_counted_and_what_was_added_has_none(tmp_path):
    dataset = make_dataset([[1, 2, 1], [2, (3, 2)]], 4)
    found = LogStatistics.build(dataset, 1)
    assert found.sales.tolist() == [0, 2, 2, 0, 0]
    found.save(tmp_path / "statistics.npz")
    assert LogStatistics.load(tmp_path / "statistics.npz", 5).sales.tolist() == [0, 2, 2, 0, 0, 0]


def test_returns_make_no_neighbours():
    dataset = make_dataset([[1, (2, 2)], [1, 3]], 3)
    assert neighbours_of(LogStatistics.build(dataset, 3), 1) == {3: 1 / np.sqrt(2)}


def test_counts_and_trend():
    # Item 1: hits 100, 20, 10 and 0 days ago. Item 2: 90 days ago, and it was returned. Item 3:
    # nothing but a return, of a purchase before the log began.
    past = [1, 2, (2, 2), 1, (3, 2), 1, 1]
    found = LogStatistics.build(make_dataset([past], 3, [100, 90, 80, 20, 15, 10, 0]), 1)
    np.testing.assert_allclose(column(found, "log_count"), np.log1p([0, 4, 1, 0]), rtol=1e-6)
    np.testing.assert_allclose(column(found, "log_recent_count"), np.log1p([0, 3, 0, 0]), rtol=1e-6)
    np.testing.assert_allclose(column(found, "log_age_days"), np.log1p([0, 100, 90, 15]), rtol=1e-6)
    # At an even rate 4 * 30 / 100 of item 1, and 30 / 90 of item 2, would be recent.
    expected = [0, np.log(4) - np.log1p(1.2), -np.log1p(1 / 3), 0]
    np.testing.assert_allclose(column(found, "trend"), expected, atol=1e-6)
    overall = 2 / 5
    rates = [(0 + RETURN_PRIOR * overall) / 24, (1 + RETURN_PRIOR * overall) / 21]
    np.testing.assert_allclose(column(found, "return_rate")[1:3], rates, rtol=1e-5)
    assert not found.items[0].any()


def test_a_log_without_time_or_returns():
    found = LogStatistics.build(make_dataset([[1, 2], [1]], 3, return_event=None), 2)
    assert np.isfinite(found.items).all()
    assert not column(found, "return_rate").any()
    assert not column(found, "log_age_days").any()
    np.testing.assert_array_equal(column(found, "log_recent_count"), column(found, "log_count"))


def test_an_empty_log():
    found = LogStatistics.build(make_dataset([[], []], 2), 2)
    assert not found.items.any() and not found.neighbours.items.any()


def test_an_item_without_any_event_counts_as_a_typical_one():
    found = LogStatistics.build(make_dataset([[1, 2, 1], [1]], 4, [9, 40, 3, 3]), 2)
    for name in ("log_count", "log_recent_count", "trend", "log_age_days"):
        values = column(found, name)
        assert values[1] != values[2]
        np.testing.assert_allclose(values[3:], np.median(values[1:3]), rtol=1e-6)
    assert not found.items[0].any()


def test_saved_statistics_come_back(tmp_path):
    dataset = make_dataset([[1, 2, (2, 2)], [2, 3]], 3)
    built = LogStatistics.build(dataset, 2)
    built.save(tmp_path / "statistics.npz")
    loaded = LogStatistics.load(tmp_path / "statistics.npz", 3)
    for name in ("neighbours", "predecessors"):
        for found, expected in zip(getattr(loaded, name), getattr(built, name), strict=True):
            assert found.any()
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(loaded.items, built.items)


def test_new_items_count_as_typical_ones_with_the_usual_return_rate(tmp_path):
    built = LogStatistics.build(make_dataset([[1, 2, (2, 2)], [2, 3]], 4), 2)
    built.save(tmp_path / "statistics.npz")
    loaded = LogStatistics.load(tmp_path / "statistics.npz", 6)
    np.testing.assert_array_equal(loaded.items[:5], built.items)
    for links in (loaded.neighbours, loaded.predecessors):
        assert len(links.items) == len(links.weights) == 7
        assert not links.items[5:].any() and not links.weights[5:].any()
    rate = ITEM_STATISTICS.index("return_rate")
    np.testing.assert_allclose(loaded.items[5:, rate], built.items[1:, rate].mean(), rtol=1e-6)
    # Item 4 was never had, so it is no measure of what is typical.
    typical = np.median(np.delete(built.items[1:4], rate, axis=1), axis=0)
    assert typical[0] == np.float32(np.log1p(1))
    for row in np.delete(loaded.items[5:], rate, axis=1):
        np.testing.assert_allclose(row, typical, rtol=1e-6)
