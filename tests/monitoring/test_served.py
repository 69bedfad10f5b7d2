"""What is served and what becomes of it, from the lines of the event log."""

import math

import pytest

from tests.monitoring.shop import event_line, served_line
from tfrec.monitoring.live.event_log import ServedList, ShopperEvent
from tfrec.monitoring.live.served import ServedTraffic
from tfrec.monitoring.live.sliding import SlidingCounter

HOUR = 3600.0
NOW = 1_700_000_000.0


def traffic(*lines, seconds=HOUR):
    found = ServedTraffic(seconds)
    for line in lines:
        found.add((ServedList if "item_ids" in line else ShopperEvent)(**line))
    return found


def rec(number, version=1):
    return f"{version}-{number:016x}"


class TestSlidingCounter:
    def test_old_counts_are_dropped(self):
        counter = SlidingCounter(100.0)
        counter.add("a", 0.0)
        counter.add("a", 50.0, 2)
        counter.forget(99.0)
        assert counter["a"] == 3
        counter.forget(101.0)
        assert counter["a"] == 2
        counter.forget(1e6)
        assert (counter["a"], dict(counter.counts)) == (0, {})

    def test_what_comes_late_counts_and_what_comes_too_late_does_not(self):
        counter = SlidingCounter(100.0)
        counter.add("a", 1000.0)
        counter.add("b", 950.0)
        counter.add("c", 800.0)
        assert (counter["b"], counter["c"], counter.total()) == (1, 0, 2)


class TestServed:
    def test_coverage_and_concentration(self):
        found = traffic(
            served_line(NOW, number=1, items=["a", "b"]),
            served_line(NOW, number=2, items=["a", "b"]),
        )
        figures = found.scalars(num_items=4)
        assert figures["served/lists"] == 2
        assert figures["served/coverage"] == 0.5
        # Two of four items share all places: (2 - 1) * 2 / 4 ... = 2/3.
        assert figures["served/gini"] == pytest.approx(2 / 3)

    def test_empty_histories_unknown_items_and_degraded_answers(self):
        found = traffic(
            served_line(NOW, number=1, history_length=0),
            served_line(NOW, number=2, history_length=4, history_unknown=1, degraded=True),
            served_line(NOW, number=3, history_length=None, history_unknown=None, items=[]),
            served_line(NOW, number=4, history_length=4, history_unknown=None),
        )
        figures = found.scalars(10)
        assert figures["served/empty_history_share"] == 0.25
        assert figures["served/unknown_item_share"] == 0.25
        assert figures["served/degraded_share"] == figures["served/empty_list_share"] == 0.25
        assert found.history_lengths.tolist() == [0, 4, 4]

    def test_a_list_is_counted_once(self):
        line = served_line(NOW, number=1)
        assert traffic(line, line).scalars()["served/lists"] == 1

    def test_nothing_served(self):
        assert traffic().scalars(10) == {"served/lists": 0.0}

    def test_the_window_ends(self):
        found = traffic(served_line(NOW))
        found.forget(NOW + 2 * HOUR)
        assert found.scalars(10) == {"served/lists": 0.0}


class TestOnline:
    def test_click_and_conversion_rate_by_version(self):
        found = traffic(
            served_line(NOW, "u", 1, version=1, items=["a", "b"]),
            served_line(NOW, "v", 2, version=2, items=["a", "b"]),
            event_line(NOW + 1, "a", "click", "u", rec(1)),
            event_line(NOW + 1, "a", "purchase", "v", rec(2, version=2)),
            event_line(NOW + 1, "b", "purchase", "v", rec(2, version=2)),
        )
        figures = found.scalars()
        assert (figures["online/1/click_rate"], figures["online/1/conversion_rate"]) == (0.5, 0)
        assert (figures["online/2/click_rate"], figures["online/2/conversion_rate"]) == (0, 1)

    def test_impressions_are_what_was_shown_where_there_are_any(self):
        found = traffic(
            served_line(NOW, "u", 1, items=list("abcdefghij")),
            event_line(NOW, "a", "impression", "u", rec(1)),
            event_line(NOW, "b", "impression", "u", rec(1)),
            event_line(NOW, "b", "impression", "u", rec(1)),
            event_line(NOW, "b", "click", "u", rec(1)),
        )
        assert found.scalars()["online/1/click_rate"] == 0.5

    def test_repeated_clicks_count_once(self):
        click = event_line(NOW, "a", "click", "u", rec(1))
        found = traffic(served_line(NOW, "u", 1, items=["a", "b"]), click, click)
        assert found.scalars()["online/1/click_rate"] == 0.5

    def test_a_later_purchase_belongs_to_the_newest_list_that_showed_the_item(self):
        found = traffic(
            served_line(NOW, "u", 1, version=1, items=["a"]),
            served_line(NOW + 1, "u", 2, version=2, items=["a"]),
            served_line(NOW + 2, "u", 3, version=3, items=["b"]),
            event_line(NOW + 3, "a", "purchase", "u"),
        )
        figures = found.scalars()
        rates = [figures[f"online/{version}/conversion_rate"] for version in (1, 2, 3)]
        assert rates == [0, 1, 0]

    def test_events_that_belong_to_no_list(self):
        found = traffic(
            served_line(NOW, "u", 1, items=["a"]),
            event_line(NOW - 5, "a", "purchase", "u"),
            event_line(NOW + 1, "a", "purchase", "somebody else"),
            event_line(NOW + 1, "z", "purchase", "u"),
            event_line(NOW + 25 * HOUR, "a", "click", "u", rec(1)),
            event_line(NOW + 1, "a", "click", "u", rec(99)),
        )
        figures = found.scalars()
        assert figures["online/1/conversion_rate"] == figures["online/1/click_rate"] == 0

    def test_a_version_that_is_not_known(self):
        figures = traffic(served_line(NOW, model_version=None)).scalars()
        assert figures["online/unknown/lists"] == 1

    def test_calibration(self):
        found = traffic(
            served_line(NOW, "u", 1, items=["a", "b"], scores=[7.0, 6.0],
                        probabilities={"purchase": [0.5, 0.1], "return": [0.9, 0.9]}),
            event_line(NOW + 1, "a", "purchase", "u", rec(1)),
        )  # fmt: skip
        shown, expected, observed = found.calibration
        assert (shown, observed) == (2, 0.5)
        assert expected == pytest.approx(0.3)
        assert math.isnan(traffic().calibration[1])

    def test_scores_alone_say_nothing_of_it(self):
        found = traffic(
            served_line(NOW, "u", 1, items=["a", "b"], scores=[0.5, 0.1]),
            served_line(NOW, "u", 2, items=["a"], probabilities={"cart": [0.5]}),
        )
        assert found.calibration[0] == 0

    def test_conversions_count_where_a_probability_was_said(self):
        found = traffic(
            served_line(NOW, "u", 1, items=["a", "b"], probabilities={"purchase": [0.5, 0.1]}),
            served_line(NOW, "v", 2, items=["a", "b"], scores=[0.5, 0.1]),
            event_line(NOW + 1, "a", "purchase", "u", rec(1)),
            event_line(NOW + 1, "a", "purchase", "v", rec(2)),
            event_line(NOW + 1, "b", "purchase", "v", rec(2)),
        )
        assert found.calibration == (2, pytest.approx(0.3), 0.5)

    def test_events_are_named_as_tensors_are(self):
        found = ServedTraffic(HOUR, "add-to-cart", HOUR)
        line = served_line(NOW, "u", 1, items=["a"], probabilities={"add_to_cart": [0.25]})
        found.add(ServedList(**line))
        found.add(ShopperEvent(**event_line(NOW + 1, "a", "add-to-cart", "u", rec(1))))
        assert found.calibration == (1, 0.25, 1.0)
