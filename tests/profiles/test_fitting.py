import numpy as np
import pytest

from tests.profiles.tables import DAY
from tests.profiles.test_clusters import planted
from tfrec.profiles.fitting import Purchases, fit_profiles, price_bounds


def purchases(owner, item, days=None):
    times = np.array(days if days is not None else [0] * len(owner), np.int64) * DAY
    return Purchases(np.array(owner), np.array(item), times, max(owner) + 1)


def test_price_bounds_part_shoppers_not_purchases():
    prices = np.array([np.nan, 1.0, 2.0, 9.0, np.nan], np.float32)
    # Medians: 1, 2 (of 1, 2, 9), 9; the fourth shopper bought nothing with a price.
    found = price_bounds(purchases([0, 0, 1, 1, 1, 2, 3], [1, 1, 1, 2, 3, 3, 4]), prices)
    np.testing.assert_allclose(found, np.quantile([1.0, 2.0, 9.0], [1 / 3, 2 / 3]))
    assert price_bounds(purchases([0], [4]), prices) == (0.0, 0.0)


def fit(columns):
    """Sixty products in three bundles of texts; thirty shoppers of each buy from one of them."""
    text = np.concatenate([np.zeros((1, 6)), planted(count=20)]).astype(np.float32)
    queries = planted(count=30, seed=3).astype(np.float32)
    owner = np.repeat(np.arange(90), 4)
    item = 1 + owner // 30 * 20 + np.arange(360) % 20
    days = 1000 + np.tile([0, 7, 14, 21], 90)
    words = ["lamp", "heart", "mug"]
    titles = [[words[place // 20], "red", "5", "of"] for place in range(60)]
    return fit_profiles(
        purchases(owner, item, days),
        queries,
        titles,
        columns,
        text,
        np.full(61, np.nan, np.float32),
        retrieval="model",
        seed=0,
    )


def test_segments_and_groups_are_found_and_named():
    empty = np.zeros((61, 1), np.int32)
    tables = fit({"kinds": empty})
    assert sorted(tables.group_names) == ["heart", "lamp", "mug"]
    assert sorted(tables.segment_names) == ["heart", "lamp", "mug"]
    assert tables.segment_shares == pytest.approx([1 / 3] * 3)
    assert max(tables.silhouettes, key=tables.silhouettes.__getitem__) == "3"
    assert tables.columns == []
    assert tables.rhythm is not None
    assert tables.rhythm.mean == pytest.approx(np.log(7))


def test_columns_that_most_products_have_are_named():
    half, few = np.zeros((61, 1), np.int32), np.zeros((61, 1), np.int32)
    half[1:31], few[1:30] = 1, 1
    assert fit({"kinds": half}).columns == ["kinds"]
    assert fit({"kinds": few}).columns == []
