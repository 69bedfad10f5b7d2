"""Robots are told by three rules; shoppers who come close to one are none."""

import numpy as np
import pytest

from tests.feedback.lines import did, end, shown
from tfrec.config import FeedbackConfig
from tfrec.feedback.joining import KEPT, join
from tfrec.feedback.robots import (
    TOO_FAST,
    TOO_KEEN,
    TOO_REGULAR,
    Conduct,
    find_robots,
    robot_reason,
)

CONFIG = FeedbackConfig(
    most_actions_an_hour=4, least_shown=10, most_clicked=0.8, least_pauses=3, least_irregular=0.05
)
SLOW = 2000.0 * np.array([0, 1, 3, 4, 9])


@pytest.mark.parametrize(
    ("conduct", "reason"),
    [
        (Conduct(SLOW, 10, 7), None),
        (Conduct(np.arange(5) * 900.0, 0, 0), TOO_FAST),  # five within just an hour
        (Conduct(np.array([0, 300, 1800, 2700, 3601]), 0, 0), None),
        (Conduct(SLOW, 10, 8), TOO_KEEN),
        (Conduct(SLOW, 9, 9), None),  # too little was shown to judge
        (Conduct(np.array([0, 2000, 4000, 6000]), 0, 0), TOO_REGULAR),
        (Conduct(np.array([0, 2000, 4000]), 0, 0), None),
        # Deviations of 100, 0 and 200 from the median of 2000: their median is 0.05 of it.
        (Conduct(np.cumsum([0, 1900, 2000, 2200]), 0, 0), None),
        (Conduct(np.cumsum([0, 1901, 2000, 2200]), 0, 0), TOO_REGULAR),
        (Conduct(np.zeros(0), 0, 0), None),
    ],
)
def test_rules(conduct, reason):
    assert robot_reason(conduct, CONFIG) == reason


def test_impressions_are_not_actions():
    seen = [did(time, "a", "impression") for time in range(9)]
    assert find_robots(seen, CONFIG) == {}
    assert find_robots([did(time, "a") for time in range(9)], CONFIG) == {"u": TOO_FAST}


def test_lists_and_events_of_a_robot_are_rejected_with_the_rule():
    fast = [did(time, "a", user="bot") for time in range(9)]
    joined = join([shown(0, user="bot"), shown(1, number=1), *fast, end()], CONFIG)
    assert dict(joined.list_counts) == {KEPT: 1, TOO_FAST: 1}
    assert joined.event_counts[TOO_FAST] == 9


def test_shoppers_without_an_id_are_not_judged():
    assert find_robots([did(time, "a", user=None) for time in range(9)], CONFIG) == {}
