"""A simulated A/B test on shoppers."""

import hashlib

import pandas as pd
import pytest

import tfrec
from tfrec.errors import UserError


def shopper(number):
    past = pd.Timestamp("2021-03-01") + pd.Timedelta(days=number % 20)
    return tfrec.Shopper(
        user=hashlib.sha256(str(number).encode()).hexdigest(),
        history=pd.DataFrame({"item_id": ["old"], "timestamp": [past]}),
        later=pd.DataFrame({"item_id": [f"i{number % 10}", "rare"]}),
        context={},
    )


SHOPPERS = [shopper(number) for number in range(600)]


def good(one):
    return [one.later["item_id"].iloc[0], "x"]


def poor(one):
    # Right for one shopper in ten.
    return ["i3", "x"]


def test_the_better_list_wins():
    found = tfrec.simulate_ab_test(SHOPPERS, a=poor, b=good)
    by_name = {entry.name: entry for entry in found.metrics}
    conversion = by_name["conversion rate"] if "conversion rate" in by_name else found.metrics[0]
    assert conversion.state == "better"
    assert conversion.difference.b == pytest.approx(1.0)
    assert conversion.difference.a == pytest.approx(0.1, abs=0.05)


def test_the_same_lists_show_no_difference():
    found = tfrec.simulate_ab_test(SHOPPERS, a=poor, b=poor)
    assert all(entry.state in ("unclear", "safe") for entry in found.metrics)


def test_a_wrong_split_is_noticed():
    found = tfrec.simulate_ab_test(SHOPPERS, a=poor, b=good, share_of_b=0.75)
    assert found.verdict == "not to be trusted"


def test_nobody_is_no_test():
    with pytest.raises(UserError, match="needs shoppers"):
        tfrec.simulate_ab_test([], a=poor, b=good)
