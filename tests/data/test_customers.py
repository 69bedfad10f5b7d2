"""Customers are chosen by rules that a hand can follow."""

import pandas as pd
import pytest

from tfrec.data.sample.customers import best_sellers, choose_customers

MOMENT = pd.Timestamp("2011-02-01")
WORDS = [
    *["lamp", "cups", "plate", "candle", "basket", "mirror", "ribbon", "cushion", "spoon", "frame"],
    *[
        "clock",
        "purse",
        "apron",
        "teapot",
        "garland",
        "jigsaw",
        "box",
        "wreath",
        "doormat",
        "heart",
    ],
]
# Twenty words for 240 items: each is in a twentieth of the titles, the most that is telling.
ITEMS_A_WORD = 12


class Log:
    """Writes orders; the item `<word>-<n>` is called "NICE <WORD> NO <n>"."""

    def __init__(self):
        self.rows = []
        self.items = pd.DataFrame(
            [
                {"item_id": f"{word}-{n}", "title": f"NICE {word.upper()} NO {n}"}
                for word in WORDS
                for n in range(ITEMS_A_WORD)
            ]
        )

    def order(self, user, when, items, event="purchase"):
        order = len(self.rows)
        for item in items:
            self.rows.append((user, item, pd.Timestamp(when), event, order, "France"))

    @property
    def events(self):
        columns = ["user_id", "item_id", "timestamp", "event", "order_id", "country"]
        return pd.DataFrame(self.rows, columns=columns)


@pytest.fixture
def log():
    log = Log()
    for day in range(1, 6):
        log.order("often", f"2011-01-0{day}", ["cups-1", f"{WORDS[day]}-0"])
    for user, products in (("few-2", 2), ("few-4", 4), ("few-9", 9)):
        varied = [f"{WORDS[i]}-{i}" for i in range(products)]
        log.order(user, "2011-01-03", varied[:-1])
        log.order(user, "2011-01-04", varied[-1:])
    log.order("lamps", "2011-01-03", [f"lamp-{i}" for i in range(10)] + ["cups-3", "plate-3"])
    log.order("mixed", "2011-01-03", [f"{word}-0" for word in WORDS])
    # Would win every kind, but never came back.
    for day in range(1, 30):
        log.order("gone", f"2011-01-{day:02}", ["lamp-1", "lamp-2", f"lamp-{day % 12}"])
    for user in ("often", "few-2", "few-4", "few-9", "lamps", "mixed"):
        log.order(user, "2011-02-01", ["candle-7"])
    log.order("often", "2011-02-03", ["basket-1"], event="return")
    return log


def test_each_kind_by_its_rule(log):
    regular, small, narrow = choose_customers(log.events, log.items, MOMENT)

    assert regular.kind == "A big regular buyer" and regular.buys_again
    assert regular.why == "5 orders, more than any other customer"
    assert small.kind == "A small gift shop with few orders" and not small.buys_again
    # Medians of 2, 4 and 9 products: 4.
    assert small.why.endswith("the one nearest their median, 4 different products")
    assert narrow.kind == "A customer of a narrow taste" and not narrow.buys_again
    # Not "NICE", which is in every title and says nothing.
    assert narrow.why == "10 of the 12 products bought so far have “LAMP” in their name"


def test_history_ends_at_the_moment_and_the_future_begins_there(log):
    regular = choose_customers(log.events, log.items, MOMENT)[0]
    assert regular.country == "France"
    assert len(regular.history) == 10
    assert regular.history["timestamp"].is_monotonic_increasing
    assert regular.history["timestamp"].max() < MOMENT
    assert regular.later == {"candle-7"}  # A return is no purchase.


def test_kinds_that_nobody_fits_are_left_out(log):
    events = log.events
    assert choose_customers(events[events["user_id"] == "gone"], log.items, MOMENT) == []
    only = events[events["user_id"] == "often"]
    assert [one.kind for one in choose_customers(only, log.items, MOMENT)] == [
        "A big regular buyer"
    ]


def test_nobody_is_chosen_twice(log):
    chosen = choose_customers(log.events, log.items, MOMENT)
    users = [customer.history["user_id"].iloc[0] for customer in chosen]
    assert len(set(users)) == len(users) == 3


def test_best_sellers_are_counted_in_orders(log):
    log.order("hoarder", "2011-01-09", ["cushion-5"] * 50)
    assert best_sellers(log.events, log.items)[:2] == ["lamp-1", "lamp-2"]
    assert best_sellers(log.events, log.items, "cups")[0] == "cups-1"
    assert best_sellers(log.events, log.items, "unheard of") == []
