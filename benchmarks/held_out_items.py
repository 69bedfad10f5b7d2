"""Makes a log in which some items were never sold before the test, to see who finds them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfrec.config import DataConfig

FEWEST_EVENTS = 3
"""A shopper with fewer is not split by `leave_one_out`."""


@dataclass(frozen=True)
class HeldOut:
    """A log and its catalogue, with items that only the test period sells.

    Attributes:
        events: the log.
        items: the catalogue.
        new: ids of the items that nobody chose before the test.
    """

    events: pd.DataFrame
    items: pd.DataFrame
    new: list[str]


def hold_out_items(
    events: pd.DataFrame,
    items: pd.DataFrame,
    config: DataConfig,
    *,
    share: float,
    seed: int,
    tune: bool = False,
) -> HeldOut:
    """Takes every event of some items out of the log, but for those of the test.

    Args:
        events: the raw log, with `position` or `timestamp` as datetime.
        items: the raw catalogue.
        config: how the data set is split.
        share: of the catalogue, drawn at random.
        seed: of the draw.
        tune: whether to make the log that decisions are taken on: the test events are cut off, so
            that the validation events are its test; the items held out of the test are unknown
            there, and as many others take their place.
    """
    drawn = np.random.default_rng(seed).permutation(items["item_id"].to_numpy())
    count = round(share * len(drawn))
    new = drawn[:count]
    if tune:
        unknown, new = new, drawn[count : 2 * count]
        events = events[~in_test(events, config) & ~events["item_id"].isin(unknown)]
        items = items[~items["item_id"].isin(unknown)]
    sold = ~events["item_id"].isin(new)
    kept = events[in_test(events, config) | sold]
    if config.split == "leave_one_out":
        # A shopper with too few events has no test: what he has is all training.
        lengths = kept.groupby("user_id")["item_id"].transform("size")
        kept = kept[(lengths >= FEWEST_EVENTS) | sold[kept.index]]
    return HeldOut(kept, items, sorted(new))


def in_test(events: pd.DataFrame, config: DataConfig) -> np.ndarray:
    """Returns bool `[num_events]`: the events of the test period.

    That is the last event of every shopper, or the last `test_days` of the log.
    """
    if config.split == "leave_one_out":
        order = "position" if "position" in events else "timestamp"
        last = events.sort_values(order, kind="stable").groupby("user_id").tail(1).index
        return events.index.isin(last)
    end = events["timestamp"].max()
    return (events["timestamp"] > end - pd.Timedelta(days=config.test_days)).to_numpy()
