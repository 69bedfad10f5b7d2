"""What `benchmarks.quality_plots` draws, as numbers: quality by time, by shopper and by item."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.measuring import with_intervals
from tfrec.errors import UserError
from tfrec.evaluation.metrics import NEVER_SHOWN, ndcg, recall
from tfrec.files import read_json

METRICS = {"recall": recall, "ndcg": ndcg}
TARGET = ["user", "item_id"]


class Bin(NamedTuple):
    """The whole numbers from `low` to `high`, both included."""

    low: int
    high: int


class Point(NamedTuple):
    """A mean over shoppers, half of its 95 % bootstrap interval, and how many they are."""

    mean: float
    half: float
    shoppers: int


def bins_of(values: np.ndarray, least: int) -> list[Bin]:
    """Returns ranges that hold at least `least` of the values each, the last one perhaps less.

    Zero has a range of its own however rare it is: nothing known is not little known.

    Args:
        values: int `[num_values]`, not negative.
        least: how many values make a range.
    """
    distinct, counts = np.unique(values, return_counts=True)
    bins, held, low = [], 0, None
    for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        low = value if low is None else low
        held += count
        if held >= least or value == 0:
            bins.append(Bin(low, value))
            held, low = 0, None
    if low is not None:
        # What is left joins its neighbour, unless that is zero or half of a range is left.
        joins = len(bins) > 0 and bins[-1].high > 0 and held < least / 2
        start = bins.pop().low if joins else low
        bins.append(Bin(start, int(distinct[-1])))
    return bins


def label_of(one: Bin, last: bool) -> str:
    """Returns ``4``, ``5-7`` or, for the last of the ranges, ``8+``."""
    if one.low == one.high:
        return f"{one.low}"
    return f"{one.low}+" if last else f"{one.low}-{one.high}"


def per_shopper(table: pd.DataFrame, metric: str, at: int) -> np.ndarray:
    """Returns a metric of each shopper, float64 `[shoppers]`.

    Args:
        table: the rows of one model from `tfrec evaluate --ranks`, or some of them.
        metric: ``recall`` or ``ndcg``.
        at: cutoff.
    """
    user = table["user"].to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], user[1:] != user[:-1]]))
    ranks = table["rank"].fillna(NEVER_SHOWN).to_numpy(np.int64)
    return METRICS[metric](ranks, np.append(starts, len(user)), at)


def quality(tables: Sequence[pd.DataFrame], metric: str, at: int) -> Point:
    """Returns a metric over all shoppers, the mean of the seeds' for each.

    Args:
        tables: the rows of one model, one table a seed, all in the same order.
        metric: ``recall`` or ``ndcg``.
        at: cutoff.
    """
    values = np.mean([per_shopper(table, metric, at) for table in tables], axis=0)
    mean, half = with_intervals(values[:, np.newaxis])[0]
    return Point(mean, half, len(values))


def quality_by(
    tables: Sequence[pd.DataFrame], column: str, bins: Sequence[Bin], at: int
) -> list[Point]:
    """Returns NDCG over the targets of each range.

    Where a range holds some of a shopper's targets only, the others are not missed.

    Args:
        tables: as in `quality`.
        column: ``history`` or ``train_events``.
        bins: ranges of its values; none is empty.
        at: cutoff.
    """
    points = []
    for low, high in bins:
        kept = tables[0][column].between(low, high).to_numpy()
        points.append(quality([table[kept] for table in tables], "ndcg", at))
    return points


def same_targets(ranks: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Returns the ranks of another program's model with all that is known of the targets.

    Args:
        ranks: its `user`, `item_id` and `rank`, in any order.
        targets: the rows of one of tfrec's models, whose order the result has.

    Raises:
        UserError: if the targets are not the same ones.
    """
    joined = targets.drop(columns="rank").merge(
        ranks[[*TARGET, "rank"]], on=TARGET, how="left", indicator=True
    )
    missing = int((joined["_merge"] != "both").sum())
    if missing or len(ranks) != len(targets):
        raise UserError(
            f"{missing} of {len(targets)} targets have no rank among the {len(ranks)} given; "
            "rank the same events with the same `repeats`"
        )
    return joined.drop(columns="_merge")


def learning_curves(run: str | Path, at: int) -> dict[str, pd.DataFrame]:
    """Returns `minutes` and `ndcg` of each validation, by model.

    The clock is that of the wall and starts with the command `tfrec train`; the ranking model's
    goes on where that of retrieval ended. A training that was stopped and resumed has the pause in
    its time.

    Args:
        run: folder of the run.
        at: cutoff that the training validated at.

    Raises:
        UserError: if the run has no logs, or validated at another cutoff.
    """
    # Imports TensorBoard, which the other functions do without.
    from tfrec.api.training_logs import read_scalars

    tag = f"validation/ndcg@{at}"
    frame = read_scalars(run)
    frame = frame[frame["tag"] == tag]
    if frame.empty:
        raise UserError(f"the logs of {run} hold no `{tag}`; choose another --at")
    curves, before = {}, 0.0
    for model in ("retrieval", "ranking"):
        own = frame[frame["model"] == model]
        if own.empty:
            continue
        record = read_json(Path(run) / model / "run.json")
        started, finished = (
            datetime.fromisoformat(record[name]).timestamp() for name in ("started", "finished")
        )
        curves[model] = pd.DataFrame(
            {"minutes": before + (own["time"] - started) / 60, "ndcg": own["value"]}
        ).reset_index(drop=True)
        before += (finished - started) / 60
    return curves
