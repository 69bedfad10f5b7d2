"""Learns from the log how long it takes until a purchase is repeated, and whether it is."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import SECONDS_PER_DAY
from tfrec.data.records import Histories
from tfrec.errors import UserError
from tfrec.evaluation.probabilities import log_loss
from tfrec.surfaces.buy_again import FEATURES, AgainTables, BuyAgain, Pairs
from tfrec.surfaces.logistic import fit_logistic, probabilities

INTERVAL_SHRINKAGE = 30.0
"""Gaps between purchases of the whole catalogue that count as much as an item's own."""
RATE_SHRINKAGE = 10.0
"""Buyers of the whole catalogue that count as much as an item's own."""
RECENT_DAYS = 30


class NoRepeatsError(UserError):
    """The log says nothing about repeat purchases."""


@dataclass(frozen=True)
class FittedAgain:
    """What is known of repeat purchases, and how good it is on the validation period.

    Attributes:
        tables: counts of the log before the test period, and the weights.
        metrics: log loss of the pairs of shoppers and items they had, and of their base rate.
    """

    tables: AgainTables
    metrics: dict[str, float]


def fit_again(dataset: PreparedDataset) -> FittedAgain:
    """Fits the probability that a shopper buys an item again within the validation period.

    Everybody in the log before that period counts, those who never came back too.

    Raises:
        NoRepeatsError: if purchases have no times, nobody repeats one, or the split has no period.
    """
    tables = count_again(dataset, "valid")
    log = dataset.log_before("valid")
    pairs = pairs_at(BuyAgain(tables), log, tables, start_of(dataset, "valid"))
    repeated = bought_later(dataset, "valid", log, pairs)
    if not repeated.any():
        raise NoRepeatsError("nobody buys in the validation period what he had before")
    weights = fit_logistic(pairs.features.numpy(), repeated)
    base = np.full(len(repeated), repeated.mean())
    metrics = {
        "buy_again_log_loss": log_loss(repeated, probabilities(pairs.features.numpy(), weights)),
        "buy_again_base_log_loss": log_loss(repeated, base),
    }
    counted = count_again(dataset, "test")
    return FittedAgain(dataclasses.replace(counted, weights=weights), metrics)


def start_of(dataset: PreparedDataset, split: str) -> int:
    """Returns the unix time at which the period of a split begins.

    Raises:
        NoRepeatsError: if it has none.
    """
    start = dataset.period_start(split)
    if start is None:
        raise NoRepeatsError(
            "what is bought again is learned from a period; prepare the data set with times and "
            "`data.split: temporal`"
        )
    return start


def count_again(dataset: PreparedDataset, before: str) -> AgainTables:
    """Counts repeat purchases in the log before a split; the weights are 0.

    Raises:
        NoRepeatsError: if there are none.
    """
    config = dataset.manifest.config
    name = config.purchase_event
    purchase = (
        dataset.event_types.index(name) + 1
        if name in dataset.event_types
        else dataset.target_event_indices[0]
    )
    width = dataset.num_items + 1
    log = dataset.log_before(before)
    owner, item, timestamp = purchases(log, purchase)
    moments = np.unique(
        np.stack([owner * width + item, timestamp // SECONDS_PER_DAY], axis=1), axis=0
    )
    pair, day = moments[:, 0], moments[:, 1]
    again = pair[1:] == pair[:-1]
    if not again.any():
        raise NoRepeatsError("nobody buys anything on a second day")
    log_gap = np.log(np.diff(day)[again])
    log_interval = shrunk_medians(pair[1:][again] % width, log_gap, width)

    distinct, times = np.unique(pair, return_counts=True)
    buyers = np.bincount(distinct % width, minlength=width)
    repeaters = np.bincount(distinct[times > 1] % width, minlength=width)
    rate = (repeaters + RATE_SHRINKAGE * repeaters.sum() / buyers.sum()) / (buyers + RATE_SHRINKAGE)
    rate = np.clip(rate, 1e-6, 1 - 1e-6)
    recent = day > day.max() - RECENT_DAYS
    sales = np.bincount(pair[recent] % width, minlength=width)
    return AgainTables(
        log_interval=log_interval,
        repeat_logit=np.log(rate / (1.0 - rate)).astype(np.float32),
        log_recent=np.log1p(sales).astype(np.float32),
        weights=np.zeros(len(FEATURES), np.float32),
        purchase_event=np.array(purchase),
        return_event=np.array(dataset.return_event_index or 0),
    )


def shrunk_medians(item: np.ndarray, log_gap: np.ndarray, width: int) -> np.ndarray:
    """Returns the median gap of every item, shrunk towards that of all.

    Args:
        item: int `[gaps]`.
        log_gap: float `[gaps]`, log of the days.
        width: number of items plus one.

    Returns:
        float32 `[width]`, logs of days.
    """
    order = np.lexsort((log_gap, item))
    counts = np.bincount(item, minlength=width)
    starts = np.cumsum(counts) - counts
    ordered = np.append(log_gap[order], 0.0)
    low = np.minimum(starts + np.maximum(counts - 1, 0) // 2, len(order))
    high = np.minimum(starts + counts // 2, len(order))
    medians = (ordered[low] + ordered[high]) / 2.0
    of_all = np.median(log_gap)
    total = counts * medians + INTERVAL_SHRINKAGE * of_all
    return (total / (counts + INTERVAL_SHRINKAGE)).astype(np.float32)


def purchases(log: Histories, event: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns shopper, item and unix time of every purchase, int64 `[purchases]` each."""
    counted = log.event == event
    owner = log.owner[counted]
    return owner, log.item[counted].astype(np.int64), log.timestamp[counted]


def pairs_at(model: BuyAgain, log: Histories, tables: AgainTables, now: int) -> Pairs:
    """Returns everybody in the log with everything he bought, described at the time `now`."""
    owner, item, timestamp = purchases(log, int(tables.purchase_event))
    times = tf.fill([len(log)], tf.constant(now, tf.int64))
    return model.pairs(tf.constant(owner), tf.constant(item), tf.constant(timestamp), times)


def bought_later(dataset: PreparedDataset, split: str, log: Histories, pairs: Pairs) -> np.ndarray:
    """Returns bool `[pairs]`: whether the shopper chooses the item in the period of a split."""
    later = dataset.histories(split)
    width = dataset.num_items + 1
    counted = np.isin(later.target_event, dataset.target_event_indices)
    owner = log.owners_of_targets(later)[counted]
    chosen = owner * width + later.target_item[counted]
    return np.isin(pairs.row.numpy() * width + pairs.item.numpy(), chosen[owner >= 0])
