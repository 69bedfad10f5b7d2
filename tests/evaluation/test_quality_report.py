"""The numbers behind the tables and pictures of benchmarks.quality."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality_curves import (
    Bin,
    bins_of,
    label_of,
    quality,
    quality_by,
    same_targets,
)
from benchmarks.quality_plots import draw_bins, draw_time, table_of
from tfrec.errors import UserError

RANKED_THIRD = 1 / 2  # 1 / log2(3 + 1)


def ranks(*places, model="retrieval"):
    """Four shoppers, the third with two targets."""
    return pd.DataFrame(
        {
            "model": model,
            "user": ["a", "b", "c", "c", "d"],
            "item_id": ["i", "j", "i", "k", "l"],
            "history": [1, 1, 2, 2, 5],
            "train_events": [9, 4, 9, 0, 4],
            "rank": pd.array(places, dtype="Int64"),
        }
    )


def test_ranges_hold_enough_each_and_zero_stands_alone():
    values = np.array([0, 1, 1, 1, 2, 2, 3, 4, 7, 9, 9])
    assert bins_of(values, 3) == [Bin(0, 0), Bin(1, 1), Bin(2, 3), Bin(4, 9)]
    assert bins_of(values, 4) == [Bin(0, 0), Bin(1, 2), Bin(3, 9)]
    # One value is left, less than half a range: it joins the one before.
    assert bins_of(np.array([1, 1, 1, 2, 2, 2, 3]), 3) == [Bin(1, 1), Bin(2, 3)]
    assert bins_of(np.array([0, 5]), 3) == [Bin(0, 0), Bin(5, 5)]
    assert [label_of(one, last) for one in (Bin(2, 2), Bin(4, 9)) for last in (False, True)] == [
        "2",
        "2",
        "4-9",
        "4+",
    ]


def test_quality_is_a_mean_over_shoppers_and_seeds():
    first, second = ranks(1, 3, 1, None, 11), ranks(1, 1, 1, 2, None)
    # Of the first seed: 1, 0.5, half of two targets, 0; of the second: 1, 1, 1, 0.
    assert quality([first], "recall", 10).mean == pytest.approx((1 + 1 + 1 / 2) / 4)
    found = quality([first, second], "recall", 1)
    # With one place, a hit of two targets is half of the recall.
    assert found.mean == pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4)
    assert found.shoppers == 4 and 0 < found.half < 1
    ideal = 1 + 1 / np.log2(3)
    assert quality([first], "ndcg", 10).mean == pytest.approx((1 + RANKED_THIRD + 1 / ideal) / 4)


def test_quality_by_shopper_and_by_item():
    table = ranks(1, 3, 1, None, 11)
    by_history = quality_by([table], "history", [Bin(1, 1), Bin(2, 5)], 10)
    assert [point.shoppers for point in by_history] == [2, 2]
    assert by_history[0].mean == pytest.approx((1 + RANKED_THIRD) / 2)
    by_item = quality_by([table], "train_events", [Bin(0, 0), Bin(4, 4), Bin(9, 9)], 10)
    # The third shopper's other target is not missed where only one of the two is looked at.
    assert [point.mean for point in by_item] == pytest.approx([0, RANKED_THIRD / 2, 1])
    assert [point.shoppers for point in by_item] == [1, 2, 2]


def test_targets_of_another_program():
    ours = ranks(1, 3, 1, None, 11)
    theirs = ranks(5, 4, 3, 2, 1)[["user", "item_id", "rank"]].sample(frac=1, random_state=0)
    joined = same_targets(theirs, ours)
    assert joined["rank"].tolist() == [5, 4, 3, 2, 1]
    assert joined["train_events"].tolist() == ours["train_events"].tolist()
    with pytest.raises(UserError, match="1 of 5 targets have no rank among the 4 given"):
        same_targets(theirs.iloc[1:], ours)
    with pytest.raises(UserError, match="0 of 4 targets have no rank among the 5 given"):
        same_targets(theirs, ours.iloc[1:])


def test_pictures_name_each_model_once():
    tables = {
        model: [ranks(1, 3, 1, None, 11, model=model)] * 2 for model in ("retrieval", "item_knn")
    }
    figure = draw_bins(tables, "history", "events", 10, "a shop")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["retrieval", "ItemKNN"]
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert ticks == ["1\n(2)", "2\n(1)", "5\n(1)"]
    curve = pd.DataFrame({"minutes": [0.1, 1.0], "ndcg": [0.2, 0.3]})
    seeds = [{"retrieval": curve, "ranking": curve}] * 2
    drawn = draw_time(seeds, {"SASRec": curve}, {"item_knn": (0.1, 0.05, 0.2)}, 10, "a shop")
    legend = [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
    assert legend == ["retrieval", "both stages", "SASRec", "ItemKNN"]
    assert len(drawn.axes[0].lines) == 6
    assert table_of(tables, 10).row_count == 2
