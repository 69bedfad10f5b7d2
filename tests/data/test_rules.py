import numpy as np

from tests.data.shop import table_of
from tfrec.data.rules import below_k_core, duplicated_rows, returns_without_purchase


def test_duplicates_equal_an_earlier_kept_row_in_every_column():
    table = table_of(
        user=["a", "a", "a", None, None, "a"],
        n=[1, 1, 2, 1, 1, 1],
        tags=[["x"], ["x"], ["x"], None, None, ["y"]],
    )
    assert duplicated_rows(table).tolist() == [False, True, False, False, True, False]


def test_a_duplicate_of_a_rejected_row_is_the_first_of_its_kind():
    table = table_of(user=["a", "a", "a"])
    table.reject(np.array([True, False, False]), "bad")
    assert duplicated_rows(table).tolist() == [False, False, True]


def test_no_row_is_left():
    times = np.array(["2027-06-01", "2027-06-01"], dtype="datetime64[us]")
    table = table_of(user_id=["u", "u"], timestamp=times)
    table.reject(np.array([True, True]), "future_timestamp")
    assert duplicated_rows(table).tolist() == [False, False]


def test_returns_need_an_earlier_purchase_of_the_item_by_the_shopper():
    # In the order of time; P is a purchase, R a return, V a view.
    rows = [
        (0, 1, "R"),  # nothing bought yet
        (0, 1, "P"),
        (1, 1, "R"),  # another shopper bought it
        (0, 1, "R"),
        (0, 2, "R"),  # another item was bought
        (1, 2, "V"),
        (1, 2, "R"),  # a view is no purchase
        (0, 1, "R"),  # a second return of what was bought
    ]
    user, item, event = (np.array(column) for column in zip(*rows, strict=True))
    found = returns_without_purchase(user, item, event == "P", event == "R")
    assert found.tolist() == [True, False, True, False, True, False, True, False]


def test_returns_rule_against_a_plain_loop():
    random = np.random.default_rng(0)
    user, item = random.integers(0, 5, 500), random.integers(0, 6, 500)
    event = random.choice(list("PRV"), 500)
    bought, expected = set(), []
    for pair in zip(user, item, event, strict=True):
        expected.append(pair[2] == "R" and pair[:2] not in bought)
        if pair[2] == "P":
            bought.add(pair[:2])
    found = returns_without_purchase(user, item, event == "P", event == "R")
    assert found.tolist() == expected
    assert 0 < sum(expected) < (event == "R").sum()


def test_the_k_core_is_iterated_until_nothing_falls():
    # Item 2 has one event; without it user 1 has one event; without that item 1 has one, and
    # then user 2 falls too. Users 3 and 4 hold each other up.
    pairs = [(1, 2), (1, 1), (2, 1), (2, 3), (3, 3), (3, 4), (4, 3), (4, 4)]
    user, item = (np.array(column) for column in zip(*pairs, strict=True))
    dropped = below_k_core(user, item, min_user_events=2, min_item_events=2)
    assert dropped.tolist() == [True] * 4 + [False] * 4


def test_an_empty_k_core_drops_everything():
    one = np.zeros(3, dtype=int)
    assert below_k_core(one, np.arange(3), min_user_events=1, min_item_events=2).all()
    assert not below_k_core(one, np.arange(3), min_user_events=3, min_item_events=1).any()
