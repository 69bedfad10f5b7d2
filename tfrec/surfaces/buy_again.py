"""What a shopper buys again, and when: the graph and the tables that it reads."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.data.item_counts import SECONDS_PER_DAY
from tfrec.surfaces.stored import StoredTables

FEATURES = (
    "bias",
    "repeat rate of the item",
    "times bought",
    "age",
    "age over interval",
    "the same squared",
    "orders of the shopper",
    "days since the last order",
    "share of the orders",
    "sales of the item of late",
    "days between orders",
    "interval",
)
OWN_WEIGHT = 3.0
"""Gaps of a shopper's own that count as much as what is known of the item."""
USUAL_ORDER_GAP = 60.0
"""Days between orders that stand for those of a shopper with a single one."""
FARTHEST = 4.0
NOT_BOUGHT = -1e9


@dataclass(frozen=True)
class AgainTables(StoredTables):
    """What the log says of repeat purchases; row 0 stands for an item that it does not know.

    Attributes:
        log_interval: float32 `[num_items + 1]`, log of the days from one purchase to the next.
        repeat_logit: float32 `[num_items + 1]`, log odds that a buyer buys again.
        log_recent: float32 `[num_items + 1]`, ``log(1 + purchases)`` of late, where those of
            one shopper on one day are one.
        weights: float32 `[len(FEATURES)]`.
        purchase_event: int64, index of the event type that counts as a purchase.
        return_event: int64, that of returns; 0 for none.
    """

    log_interval: np.ndarray
    repeat_logit: np.ndarray
    log_recent: np.ndarray
    weights: np.ndarray
    purchase_event: np.ndarray
    return_event: np.ndarray


class Pairs(NamedTuple):
    """Shoppers with the items that they have bought, one row each.

    Attributes:
        row: int64 `[pairs]`, the shopper.
        item: int64 `[pairs]`.
        features: float32 `[pairs, len(FEATURES)]`.
        interval: float32 `[pairs]`, expected days from a purchase to the next.
        age: float32 `[pairs]`, days since the last purchase.
    """

    row: tf.Tensor
    item: tf.Tensor
    features: tf.Tensor
    interval: tf.Tensor
    age: tf.Tensor


class Again(NamedTuple):
    """What a shopper may buy again, float32 `[batch, num_items + 1]` each.

    Attributes:
        logits: log odds that the item is bought again soon; `NOT_BOUGHT` where it never was.
        interval: expected days from a purchase to the next; 0 where it never was bought.
        due_in: days until the next is expected, below 0 if it is overdue.
    """

    logits: tf.Tensor
    interval: tf.Tensor
    due_in: tf.Tensor


class BuyAgain(tf.Module):
    """Says which of his purchases a shopper repeats soon.

    Whether a purchase is repeated at all depends on the item, when on how long ago it was against
    the time that usually passes (compare Bhagat et al., "Buy It Again: Modeling Repeat Purchase
    Recommendations", KDD 2018). The expected interval is the item's, shrunk towards that of the
    catalogue, and the shopper's own where he has bought it several times. A logistic regression
    weighs it all; purchases on one day are one.

    Args:
        tables: what the log says.
    """

    def __init__(self, tables: AgainTables) -> None:
        super().__init__(name="buy_again")
        columns = np.stack([tables.log_interval, tables.repeat_logit, tables.log_recent], axis=1)
        self._items = tf.Variable(columns.astype(np.float32), trainable=False)
        self.weights = tf.Variable(tables.weights.astype(np.float32), trainable=False)
        self._purchase = int(tables.purchase_event)
        self._return = int(tables.return_event)

    def __call__(
        self,
        items: tf.Tensor,
        events: tf.Tensor,
        timestamps: tf.Tensor,
        now: tf.Tensor,
        size: int | tf.Tensor,
    ) -> Again:
        """Returns what each shopper may buy again.

        Args:
            items: int64 `[batch, length]`, the histories, 0 for none.
            events: int64 `[batch, length]`, event types from 1.
            timestamps: int64 `[batch, length]`, unix seconds.
            now: int64 `[batch]`, unix seconds; 0 for the time of the last event.
            size: number of items plus one.
        """
        batch = tf.shape(items, tf.int64)[0]
        now = tf.where(now > 0, now, tf.reduce_max(timestamps, axis=1))
        place = tf.where(tf.logical_and(items > 0, events == self._purchase))
        pairs = self.pairs(
            place[:, 0],
            tf.gather_nd(items, place),
            tf.gather_nd(timestamps, place),
            now,
        )
        index = tf.stack([pairs.row, pairs.item], axis=1)
        shape = tf.stack([batch, tf.cast(size, tf.int64)])
        bought = tf.scatter_nd(index, tf.ones_like(pairs.age), shape) > 0
        if self._return:
            bought = tf.logical_and(bought, self._kept(items, events, shape))
        logits = tf.linalg.matvec(pairs.features, self.weights)
        return Again(
            tf.where(bought, tf.scatter_nd(index, logits, shape), NOT_BOUGHT),
            tf.scatter_nd(index, pairs.interval, shape),
            tf.scatter_nd(index, pairs.interval - pairs.age, shape),
        )

    def _kept(self, items: tf.Tensor, events: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
        """Returns bool `[batch, size]`: items that were bought more often than sent back."""
        sign = tf.cast(events == self._purchase, tf.int32) - tf.cast(
            events == self._return, tf.int32
        )
        place = tf.where(tf.logical_and(items > 0, sign != 0))
        index = tf.stack([place[:, 0], tf.gather_nd(items, place)], axis=1)
        return tf.scatter_nd(index, tf.gather_nd(sign, place), shape) > 0

    def pairs(self, row: tf.Tensor, item: tf.Tensor, timestamp: tf.Tensor, now: tf.Tensor) -> Pairs:
        """Describes the purchases of some shoppers, given in any order.

        Args:
            row: int64 `[purchases]`, the shopper of each.
            item: int64 `[purchases]`.
            timestamp: int64 `[purchases]`, unix seconds.
            now: int64 `[shoppers]`, unix seconds.
        """
        shoppers = tf.shape(now, tf.int64)[0]
        day, today = timestamp // SECONDS_PER_DAY, now // SECONDS_PER_DAY
        width = tf.reduce_max(tf.concat([item, [0]], axis=0)) + 1
        pair, bought, first, last = _spans(row * width + item, day)
        owner, item = pair // width, pair % width
        shopper, orders, first_order, last_order = _spans(row, day)
        orders = tf.cast(_by_shopper(shopper, orders, shoppers), tf.float32)
        first_order = _by_shopper(shopper, first_order, shoppers)
        last_order = _by_shopper(shopper, last_order, shoppers)
        order_gap = tf.where(
            orders > 1.0,
            tf.cast(last_order - first_order, tf.float32) / tf.maximum(orders - 1.0, 1.0),
            USUAL_ORDER_GAP,
        )
        idle = tf.cast(tf.maximum(today - last_order, 0), tf.float32)

        known = tf.shape(self._items, tf.int64)[0]
        columns = tf.gather(self._items, tf.where(item < known, item, 0))
        count = tf.cast(bought, tf.float32)
        age = tf.cast(tf.maximum(tf.gather(today, owner) - last, 0), tf.float32)
        own_gap = tf.cast(last - first, tf.float32) / tf.maximum(count - 1.0, 1.0)
        own = (count - 1.0) * tf.math.log(tf.maximum(own_gap, 1.0))
        log_interval = (OWN_WEIGHT * columns[:, 0] + own) / (OWN_WEIGHT + count - 1.0)
        late = tf.clip_by_value(tf.math.log(age + 1.0) - log_interval, -FARTHEST, FARTHEST)
        of_shopper = tf.gather(orders, owner)
        features = [
            tf.ones_like(age),
            columns[:, 1],
            tf.math.log(count),
            tf.math.log1p(age),
            late,
            tf.square(late),
            tf.math.log(of_shopper),
            tf.math.log1p(tf.gather(idle, owner)),
            count / of_shopper,
            columns[:, 2],
            tf.math.log1p(tf.gather(order_gap, owner)),
            log_interval,
        ]
        return Pairs(owner, item, tf.stack(features, axis=1), tf.exp(log_interval), age)


def _spans(key: tf.Tensor, day: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the distinct keys, and the number of days, the first and the last day of each.

    All int64 `[keys]`; both arguments are int64 `[events]`, the keys not below 0.
    """
    start = tf.reduce_min(tf.concat([day, [0]], axis=0))
    span = tf.reduce_max(tf.concat([day, [0]], axis=0)) - start + 1
    moment = tf.unique(key * span + day - start)[0]
    day = moment % span + start
    distinct, place = tf.unique(moment // span)
    count = tf.size(distinct)
    return (
        distinct,
        tf.math.unsorted_segment_sum(tf.ones_like(day), place, count),
        tf.math.unsorted_segment_min(day, place, count),
        tf.math.unsorted_segment_max(day, place, count),
    )


def _by_shopper(shopper: tf.Tensor, values: tf.Tensor, shoppers: tf.Tensor) -> tf.Tensor:
    return tf.scatter_nd(shopper[:, tf.newaxis], values, tf.expand_dims(shoppers, 0))
