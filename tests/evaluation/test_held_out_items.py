"""Logs in which some items were never sold before the test."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.held_out_items import hold_out_items
from benchmarks.new_items import figures
from tests.evaluation.small_shop import make_histories
from tfrec.config import DataConfig
from tfrec.evaluation import Cases

ITEMS = pd.DataFrame({"item_id": [f"i{number}" for number in range(20)]})


def log(split: str) -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = [
        (f"u{user}", f"i{item}", position, pd.Timestamp("2024-01-01") + pd.Timedelta(days=day))
        for user in range(60)
        for position, (item, day) in enumerate(
            zip(random.integers(20, size=6), np.sort(random.integers(90, size=6)), strict=True)
        )
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position", "timestamp"])
    # Rows in any order, with an index that says nothing.
    return frame.sample(frac=1, random_state=1)


def pairs(frame: pd.DataFrame) -> set[tuple[str, int]]:
    return set(zip(frame["user_id"], frame["position"], strict=True))


@pytest.mark.parametrize("split", ["leave_one_out", "temporal"])
@pytest.mark.parametrize("tune", [False, True])
def test_new_items_are_sold_in_the_test_alone(split, tune):
    events = log(split)
    config = DataConfig(split=split, test_days=30)
    held_out = hold_out_items(events, ITEMS, config, share=0.2, seed=3, tune=tune)
    assert len(held_out.new) == 4
    if split == "leave_one_out":
        test = (events["position"] == (4 if tune else 5)).to_numpy()
        before = (events["position"] < (4 if tune else 5)).to_numpy()
    else:
        end = events["timestamp"].max() - pd.Timedelta(days=30 if tune else 0)
        test = (events["timestamp"] > end - pd.Timedelta(days=30)) & (events["timestamp"] <= end)
        before = events["timestamp"] <= end - pd.Timedelta(days=30)
    new = events["item_id"].isin(held_out.new)
    known = events["item_id"].isin(held_out.items["item_id"])
    if split == "temporal":
        assert pairs(held_out.events) == pairs(events[known & (test | (before & ~new))])
        sold = held_out.events[held_out.events["item_id"].isin(held_out.new)]
        assert len(sold) > 3
    else:
        # Every shopper's last event is his test; where it is of an unknown item, the one before.
        last = held_out.events.sort_values("position").groupby("user_id").tail(1)
        rest = held_out.events.drop(last.index)
        assert not rest["item_id"].isin(held_out.new).any()
        assert last["item_id"].isin(held_out.new).sum() > 3
        assert held_out.events["position"].max() == (4 if tune else 5)


def test_tuning_holds_out_other_items_and_does_not_know_the_first():
    config = DataConfig(split="leave_one_out")
    first = hold_out_items(log("loo"), ITEMS, config, share=0.2, seed=3)
    second = hold_out_items(log("loo"), ITEMS, config, share=0.2, seed=3, tune=True)
    assert not set(first.new) & set(second.new)
    assert set(second.items["item_id"]) == set(ITEMS["item_id"]) - set(first.new)
    assert set(second.events["item_id"]) <= set(second.items["item_id"])


def test_a_shopper_without_a_test_buys_no_new_item():
    # Two events are too few for leave_one_out, so both would be training.
    events = pd.DataFrame(
        {
            "user_id": ["a", "a", "b", "b", "b"],
            "item_id": ["i0", "i1", "i0", "i2", "i1"],
            "position": [0, 1, 0, 1, 2],
        }
    )
    items = pd.DataFrame({"item_id": ["i0", "i1", "i2"]})
    config = DataConfig(split="leave_one_out")
    seed = next(
        seed
        for seed in range(20)
        if hold_out_items(events, items, config, share=0.34, seed=seed).new == ["i1"]
    )
    held_out = hold_out_items(events, items, config, share=0.34, seed=seed)
    assert pairs(held_out.events) == {("a", 0), ("b", 0), ("b", 1), ("b", 2)}


def test_figures_of_new_and_old_targets_are_apart():
    cases = Cases(
        split="test",
        repeats="exclude",
        indices=np.arange(2),
        histories=make_histories([[1], [1]]),
        target_offsets=np.array([0, 2, 3]),
        target_item=np.array([2, 3, 3], np.int32),
        new_shopper=np.zeros(2, bool),
        train_events=np.array([2, 1, 0]),
        dropped=0,
    )
    ranks = np.array([1, 13, 4])  # of items 2 and 3 for the first shopper, 3 for the second
    found = figures(ranks, cases, np.array([False, True, True]))
    assert (found["new"]["shoppers"], found["old"]["shoppers"], found["all"]["targets"]) == (
        2,
        1,
        3,
    )
    assert found["old"]["recall@10"] == 1.0
    assert found["new"]["recall@10"] == pytest.approx(1 / 2)
    assert found["new"]["recall@20"] == 1.0
    assert found["new"]["ndcg@10"] == pytest.approx((1 / np.log2(5)) / 2)
