"""Every line of a log ends as an example, a label, an impression, or with its reason."""

import pytest

from tests.feedback.lines import DAY, START, did, end, shown
from tfrec.config import FeedbackConfig
from tfrec.feedback import joining
from tfrec.feedback.joining import join

CONFIG = FeedbackConfig(places=2)


def outcomes(*lines, config=CONFIG):
    """Joins lines before the last one; returns what became of lists and of events."""
    joined = join([*lines, end()], config)
    events = dict(joined.event_counts)
    events[joining.ORGANIC] -= 1
    assert sum(joined.list_counts.values()) + sum(joined.event_counts.values()) == len(lines) + 1
    return dict(joined.list_counts), {name: count for name, count in events.items() if count}


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (did(5, "a", number=0), joining.LABEL),
        (did(5, "a"), joining.LABEL),
        (did(5, "a", user="other"), joining.ORGANIC),
        (did(5, "a", user=None), joining.ORGANIC),
        (did(5, "x", number=0), joining.OTHER_ITEM),
        (did(5, "c", number=0), joining.BEYOND),
        (did(5, "a", number=9), joining.UNKNOWN_LIST),
        (did(-5, "a", number=0), joining.EARLY),
        (did(7 * DAY, "a", "purchase"), joining.LABEL),
        (did(7 * DAY + 1, "a", "purchase"), joining.LATE),
        (did(5, "a", "view", number=0), joining.NO_LABEL),
    ],
)
def test_what_becomes_of_an_event(event, outcome):
    assert outcomes(shown(0), event) == ({joining.KEPT: 1}, {outcome: 1})


def test_repeats_count_once_and_kinds_apart():
    clicks = [did(time, "a", number=0) for time in (5, 6, 7)]
    _, events = outcomes(shown(0), *clicks, did(8, "a", "purchase"), did(9, "b"))
    assert events == {joining.LABEL: 3, joining.REPEATED: 2}


def test_an_event_without_a_list_belongs_to_the_newest_that_showed_the_item():
    lines = [shown(0, ["a", "b"], number=0), shown(60, ["a", "c"], number=1)]
    joined = join([*lines, did(90, "a"), did(91, "b"), end()], CONFIG)
    assert [each.happened for each in joined.lists] == [{"click": {"b"}}, {"click": {"a"}}]


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([shown(0), shown(1)], {joining.KEPT: 1, joining.REPEATED_LIST: 1}),
        ([shown(0, [])], {joining.EMPTY: 1}),
        ([shown(0), shown(29 * DAY, number=1)], {joining.KEPT: 1, joining.UNFINISHED: 1}),
    ],
)
def test_what_becomes_of_a_list(lines, outcome):
    assert outcomes(*lines) == (outcome, {})


def test_where_impressions_are_recorded_they_say_what_was_shown():
    lines = [
        shown(0, number=0),
        did(1, "c", "impression", number=0, position=7),
        did(2, "c", "impression", number=0),
        did(3, "c", number=0),
        did(4, "a", number=0),
        shown(10, number=1),
        did(11, "b", number=1),
    ]
    lists, events = outcomes(*lines)
    assert lists == {joining.KEPT: 1, joining.NOT_DISPLAYED: 1}
    assert events == {
        joining.SHOWN: 1,
        joining.REPEATED: 1,
        joining.LABEL: 1,
        joining.BEYOND: 1,  # clicked, but never on the screen
        joining.ON_REJECTED: 1,
    }
    joined = join([*lines, end()], CONFIG)
    assert joined.places(joined.lists[0], most=2) == [("c", 7)]
    assert joined.lists[0].happened == {"click": {"c"}}


def test_a_history_is_what_came_before_the_list():
    lines = [
        did(-9, "x", "view"),
        did(-8, "x", "purchase"),
        did(-7, "y", user="other"),
        shown(0, number=0),
        did(1, "a", "impression", number=0),
        did(2, "a", number=0),
        did(3, "a", number=0),
        shown(10, number=1),
        did(11, "a", "impression", number=1),
    ]
    joined = join([*lines, end()], CONFIG)
    told = [
        [(event.item_id, event.event) for event in joined.history(each)] for each in joined.lists
    ]
    assert told[0] == [("x", "view"), ("x", "purchase")]
    assert told[1] == [*told[0], ("a", "click")]


def test_lines_in_any_order_give_the_same():
    lines = [shown(0), did(5, "a", number=0), did(6, "b"), end()]
    assert join(lines[::-1], CONFIG).lists == join(lines, CONFIG).lists


def test_an_empty_log():
    joined = join([], CONFIG)
    assert (joined.lists, dict(joined.list_counts), dict(joined.event_counts)) == ([], {}, {})


def test_older_lists_are_histories_only():
    lines = [shown(0), did(5, "a", number=0), shown(10, number=1), end()]
    joined = join(lines, CONFIG, since=START + 10)
    assert dict(joined.list_counts) == {joining.TOO_OLD: 1, joining.KEPT: 1}
    assert [event.item_id for event in joined.history(joined.lists[1])] == ["a"]
