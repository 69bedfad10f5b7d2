"""Portraits by hand: five products, three groups, a rhythm of ten days."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.profiles.tables import DAY, ITEMS, portrait_tables
from tfrec.profiles.portrait import Portraits
from tfrec.profiles.tables import ProfileTables

PURCHASE, VIEW = 1, 2


@pytest.fixture(scope="module")
def portraits():
    return Portraits(portrait_tables(), **ITEMS)


def draw(portraits, items, events, times, now=0, query=(1.0, 0.0)):
    history = {
        name: tf.constant([values or [0]], tf.int64)
        for name, values in (("item", items), ("event", events), ("timestamp", times))
    }
    drawn = portraits(history, tf.constant([query]), tf.constant([now], tf.int64))
    return {name: values.numpy()[0] for name, values in drawn.items()}


def test_taste_counts_purchases_alone(portraits):
    found = draw(portraits, [1, 2, 2, 4, 5], [PURCHASE] * 4 + [VIEW], [0] * 5)
    # Items 1 and 2 are wear, 2 is cotton too, 4 is home.
    assert found["top_kinds"].tolist() == [b"wear", b"cotton", b"home"]
    np.testing.assert_allclose(found["top_kinds_share"], [0.75, 0.5, 0.25])
    assert (found["events"], found["purchases"], found["purchase_days"]) == (5, 4, 0)
    assert found["segment"] == b"east"
    assert math.isnan(found["days_since_last_event"]) and found["next_purchase"] == 0


def test_prices_are_quartiles_of_what_was_paid(portraits):
    found = draw(portraits, [1, 2, 3, 4], [PURCHASE] * 4, [0] * 4)
    # Prices 1, 2, none and 8: quartiles of three.
    np.testing.assert_allclose(
        [found[f"price_{name}"] for name in ("low", "middle", "high")], [1.5, 2.0, 5.0]
    )
    assert found["price_band"] == b"middle"
    assert draw(portraits, [1], [PURCHASE], [0])["price_band"] == b"low"
    assert draw(portraits, [4], [PURCHASE], [0])["price_band"] == b"high"
    none = draw(portraits, [3], [PURCHASE], [0])
    assert none["price_band"] == b"" and math.isnan(none["price_middle"])


def test_diversity_is_one_less_the_mean_cosine_of_pairs(portraits):
    # Vectors (1, 0), (0, 1) and (.6, .8): cosines 0, .6 and .8.
    found = draw(portraits, [1, 2, 3], [PURCHASE] * 3, [0] * 3)
    assert found["diversity"] == pytest.approx(1 - 1.4 / 3, abs=1e-6)
    assert draw(portraits, [1, 1], [PURCHASE] * 2, [0] * 2)["diversity"] == pytest.approx(0)
    assert draw(portraits, [1], [PURCHASE], [0])["diversity"] == 0


def test_the_next_purchase_follows_from_own_gaps(portraits):
    times = [100 * DAY, 100 * DAY + 50, 140 * DAY, 180 * DAY]
    found = draw(portraits, [1, 2, 1, 2], [PURCHASE] * 4, times)
    # Two gaps of 40 days, worth as much as everybody's ten: 20, give or take .5 sqrt(1 + 1 / 4).
    scale = 0.5 * math.sqrt(1.25)
    names = ("next_purchase_from", "next_purchase", "next_purchase_to")
    days = [(found[name] / DAY) - 180 for name in names]
    np.testing.assert_allclose(days, 20 * np.exp([-scale, 0, scale]), rtol=1e-4)
    assert found["purchase_days"] == 3 and found["days_since_last_event"] == 0
    # After forty days without a purchase the first two quantiles are behind.
    later = draw(portraits, [1, 2, 1, 2], [PURCHASE] * 4, times, now=205 * DAY)
    assert later["next_purchase_from"] == later["next_purchase_to"] > 205 * DAY
    assert later["days_since_last_event"] == 25 and later["events_last_30_days"] == 1
    never = draw(portraits, [1, 2, 1, 2], [PURCHASE] * 4, times, now=900 * DAY)
    assert never["next_purchase"] == 0


def test_graph_and_numbers_agree(portraits):
    from tests.profiles.test_purchase_gaps import days_of

    rhythm = portrait_tables().rhythm
    assert rhythm is not None
    days = [100, 103, 130, 171]
    windows = rhythm.windows(days_of(days), now=175)[0]
    found = draw(
        portraits, [1] * 4, [PURCHASE] * 4, [day * DAY for day in days], now=175 * DAY + 10
    )
    names = ("next_purchase_from", "next_purchase", "next_purchase_to")
    np.testing.assert_allclose([found[name] / DAY for name in names], 171 + windows, rtol=1e-5)


def test_nobody_has_a_portrait_that_says_nothing(portraits):
    found = draw(portraits, [], [], [], now=5)
    assert found["segment"] == b"" and (found["top_kinds"] == b"").all()
    assert found["events"] == found["purchases"] == found["next_purchase_to"] == 0


def test_learned_groups_stand_in_for_columns():
    portraits = Portraits(portrait_tables(columns=[]), **ITEMS)
    found = draw(portraits, [1, 4, 4], [PURCHASE] * 3, [0] * 3)
    assert portraits.kinds == ["groups"]
    assert found["top_groups"].tolist() == [b"lamps", b"hearts", b""]


def test_a_hundred_thousand_events_are_read(portraits):
    count = 100_000
    times = [(1000 + place // 100) * DAY for place in range(count)]
    found = draw(portraits, [1 + place % 5 for place in range(count)], [PURCHASE] * count, times)
    assert found["purchases"] == count and found["purchase_days"] == 1000
    assert found["next_purchase"] > times[-1] and 0 < found["diversity"] < 1


def test_tables_come_back_as_they_were(tmp_path):
    tables = portrait_tables()
    tables.save(tmp_path)
    found = ProfileTables.find(tmp_path, "model")
    assert found is not None and found.rhythm is not None and tables.rhythm is not None
    assert found.segment_names == tables.segment_names and found.columns == tables.columns
    assert found.price_bounds == tables.price_bounds
    assert (found.segment_centres == tables.segment_centres).all()
    assert (found.rhythm.survival == tables.rhythm.survival).all()
    assert ProfileTables.find(tmp_path / "none", "model") is None
