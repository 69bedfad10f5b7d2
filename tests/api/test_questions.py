"""Histories in every form that a notebook may have them in."""

import numpy as np
import pandas as pd
import pytest

from tfrec.api.questions import AskedHistory
from tfrec.api.shoppers import Shopper
from tfrec.errors import UserError

MOMENTS = pd.to_datetime(["2011-11-03 10:00", None])
SECONDS = [1_320_314_400, 0]


def table(**columns):
    return pd.DataFrame({"item_id": ["a", "b"], **columns})


def test_lists():
    bare = AskedHistory.of(["a", "b"])
    assert (bare.items, bare.events, bare.timestamps) == (["a", "b"], ["", ""], [0, 0])
    assert bare.context == {} and bare.later is None
    full = AskedHistory.of(("a", "b"), ["view", "cart"], np.array([1, 2]), {"country": "NL"})
    assert (full.events, full.timestamps) == (["view", "cart"], [1, 2])
    assert full.context == {"country": "NL"}
    assert AskedHistory.of(()).items == []


def test_tables():
    assert AskedHistory.of(table()) == AskedHistory.of(["a", "b"])
    events = table(event=["view", "cart"], timestamp=MOMENTS)
    expected = AskedHistory.of(["a", "b"], ["view", "cart"], SECONDS)
    assert AskedHistory.of(events) == expected
    assert AskedHistory.of(events.assign(timestamp=MOMENTS.tz_localize("UTC"))) == expected
    assert AskedHistory.of(events.assign(timestamp=SECONDS)) == expected
    in_milliseconds = MOMENTS.astype("datetime64[ms]")
    assert AskedHistory.of(events.assign(timestamp=in_milliseconds)) == expected


def test_shoppers_bring_their_context_and_what_they_bought_later():
    events = table(event=["view", "cart"], timestamp=MOMENTS)
    shopper = Shopper("hash", events, pd.DataFrame({"item_id": ["c"]}), {"country": "FR"})
    asked = AskedHistory.of(shopper)
    assert asked.timestamps == SECONDS
    assert asked.context == {"country": "FR"} and asked.later == {"c"}
    assert AskedHistory.of(shopper, context={"country": "NL"}).context == {"country": "NL"}


def test_without_leaves_the_places():
    asked = AskedHistory.of(["a", "b", "a"], ["x", "y", "z"], [1, 2, 3], {"c": "d"})
    assert asked.without("a").items == ["", "b", ""]
    assert asked.without("a").events == ["x", "y", "z"] and asked.without("a").context == {"c": "d"}
    assert asked.items == ["a", "b", "a"]


@pytest.mark.parametrize("arguments, message", [
    (("85123A",), "a list of item ids, not the text '85123A'"),
    ((["a"], ["view", "cart"]), "events should have one entry an item of the history: 1, not 2"),
    ((["a"], None, []), "timestamps should have one entry"),
    ((table(), ["view", "cart"]), "has its events and timestamps in it"),
    ((pd.DataFrame({"sku": ["a"]}),), "needs the column item_id; it has sku"),
])  # fmt: skip
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        AskedHistory.of(*arguments)
