"""Portraits of shoppers, drawn from their histories in a graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrec.profiles.purchase_gaps import QUANTILES, SECONDS_PER_DAY
from tfrec.profiles.tables import BANDS, GROUPS, ProfileTables, groups_of_texts

TOP = 3
"""Groups of products that a portrait names of each kind."""
LATELY_DAYS = 30
_FOREVER = 2**60


class Portraits(tf.Module):
    """Draws portraits.

    Args:
        tables: what they are drawn with.
        categories: int32 `[num_items + 1, most]` by column, positions among its `names`, padded
            with 0.
        names: names of each column's values; position 0 is padding.
        text: float32 `[num_items + 1, text_dimension]`, vectors of the items' texts.
        vectors_of: returns the vectors of items `[...]`, float32 `[..., dimension]`.
        prices: float32 `[num_items + 1]`, NaN where unknown.
        target_events: event types, from 1, that count as a purchase.
    """

    def __init__(
        self,
        tables: ProfileTables,
        categories: dict[str, np.ndarray],
        names: dict[str, list[str]],
        text: np.ndarray,
        vectors_of: Callable[[tf.Tensor], tf.Tensor],
        prices: np.ndarray,
        target_events: list[int],
    ) -> None:
        super().__init__(name="portraits")
        self._tables = tables
        self._target_events = tf.constant(target_events, tf.int64)
        self._centres = tf.Variable(tables.segment_centres, trainable=False)
        self._segments = tf.Variable(tables.segment_names, trainable=False)
        if tables.columns:
            groups = {column: categories[column] for column in tables.columns}
            group_names = {column: ["", *names[column][1:]] for column in tables.columns}
        else:
            groups = {GROUPS: groups_of_texts(text, tables.group_centres)[:, np.newaxis]}
            group_names = {GROUPS: ["", *tables.group_names]}
        self._groups = {
            kind: tf.Variable(values, trainable=False) for kind, values in groups.items()
        }
        self._group_names = {
            kind: tf.Variable(values, trainable=False) for kind, values in group_names.items()
        }
        self._vectors_of = vectors_of
        self._prices = tf.Variable(prices, trainable=False)

    @property
    def kinds(self) -> list[str]:
        """The kinds of groups that portraits name."""
        return list(self._groups)

    def __call__(
        self, history: dict[str, tf.Tensor], queries: tf.Tensor, now: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the portraits, `[batch]` by name, and `[batch, TOP]` for `top_…`.

        Args:
            history: `item`, `event` and `timestamp` int64 `[batch, length]`, oldest first, 0 pads.
            queries: float32 `[batch, dimension]`, unit vectors of the shoppers.
            now: int64 `[batch]`, unix seconds; 0 stands for the last event.
        """
        items, timestamps = history["item"], history["timestamp"]
        present = items > 0
        bought = tf.reduce_any(history["event"][..., tf.newaxis] == self._target_events, axis=-1)
        bought = tf.logical_and(bought, present)
        times = tf.where(present, timestamps, 0)
        last = tf.reduce_max(times, axis=1)
        now = tf.maximum(now, last)
        lately = now[:, tf.newaxis] - times < LATELY_DAYS * SECONDS_PER_DAY
        recent = tf.logical_and(present, tf.logical_and(times > 0, lately))
        waited = tf.cast(now - last, tf.float32) / SECONDS_PER_DAY
        nearest = tf.argmax(tf.linalg.matmul(queries, self._centres, transpose_b=True), axis=1)
        anything = tf.reduce_any(present, axis=1)
        return {
            "segment": tf.where(anything, tf.gather(self._segments, nearest), ""),
            **self._top_groups(items, bought),
            **self._price_band(items, bought),
            "events": tf.reduce_sum(tf.cast(present, tf.int64), axis=1),
            "purchases": tf.reduce_sum(tf.cast(bought, tf.int64), axis=1),
            f"events_last_{LATELY_DAYS}_days": tf.reduce_sum(tf.cast(recent, tf.int64), axis=1),
            "days_since_last_event": tf.where(last > 0, waited, np.nan),
            "diversity": self._diversity(items, bought),
            **self._next_purchase(times, bought, now),
        }

    def _top_groups(self, items: tf.Tensor, bought: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the groups of which most was bought, and the shares of purchases in them."""
        batch = tf.shape(items)[0]
        hits = tf.cast(bought, tf.float32)
        total = tf.reduce_sum(hits, axis=1, keepdims=True)
        answer = {}
        for kind, table in self._groups.items():
            names = self._group_names[kind]
            size = tf.shape(names)[0]
            groups = tf.gather(table, items)
            place = groups + tf.range(batch)[:, tf.newaxis, tf.newaxis] * size
            spread = tf.repeat(hits[..., tf.newaxis], tf.shape(groups)[2], axis=2)
            counts = tf.math.unsorted_segment_sum(
                tf.reshape(spread, [-1]), tf.reshape(place, [-1]), batch * size
            )
            counts = tf.reshape(counts, [batch, size])[:, 1:]
            missing = tf.maximum(TOP - (size - 1), 0)
            counts, best = tf.math.top_k(tf.pad(counts, [[0, 0], [0, missing]]), k=TOP)
            answer[f"top_{kind}"] = tf.where(
                counts > 0, tf.gather(names, tf.where(counts > 0, best + 1, 0)), ""
            )
            answer[f"top_{kind}_share"] = tf.math.divide_no_nan(counts, total)
        return answer

    def _price_band(self, items: tf.Tensor, bought: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the quartiles of the prices of what was bought, NaN for none, and the band."""
        prices = tf.gather(self._prices, items)
        known = tf.logical_and(bought, tf.math.is_finite(prices))
        count = tf.reduce_sum(tf.cast(known, tf.int32), axis=1)
        ordered = tf.sort(tf.where(known, prices, np.float32(np.inf)), axis=1)
        quartiles = []
        for share in (0.25, 0.5, 0.75):
            place = share * tf.cast(tf.maximum(count - 1, 0), tf.float32)
            low = tf.cast(tf.floor(place), tf.int32)
            high = tf.minimum(low + 1, tf.maximum(count - 1, 0))
            below = tf.gather(ordered, low, batch_dims=1)
            above = tf.gather(ordered, high, batch_dims=1)
            between = below + (above - below) * (place - tf.floor(place))
            quartiles.append(tf.where(count > 0, between, np.nan))
        first, second = self._tables.price_bounds
        middle = quartiles[1]
        band = tf.cast(middle >= first, tf.int32) + tf.cast(middle >= second, tf.int32)
        return {
            "price_low": quartiles[0],
            "price_middle": middle,
            "price_high": quartiles[2],
            "price_band": tf.where(count > 0, tf.gather(tf.constant(BANDS), band), ""),
        }

    def _diversity(self, items: tf.Tensor, bought: tf.Tensor) -> tf.Tensor:
        """Returns 1 less the mean cosine of two purchases; 0 for fewer than two."""
        hits = tf.cast(bought, tf.float32)
        count = tf.reduce_sum(hits, axis=1)
        total = tf.einsum("bld,bl->bd", self._vectors_of(items), hits)
        # The cosines of all pairs are the square of the sum, less those of each with itself.
        pairs = count * (count - 1.0)
        cosine = tf.math.divide_no_nan(tf.reduce_sum(total**2, axis=1) - count, pairs)
        return tf.where(pairs > 0, 1.0 - cosine, 0.0)

    def _next_purchase(
        self, times: tf.Tensor, bought: tf.Tensor, now: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns when the next purchase is expected, unix seconds; 0 where it is not."""
        names = ("next_purchase_from", "next_purchase", "next_purchase_to")
        dated = tf.logical_and(bought, times > 0)
        days = tf.where(dated, times // SECONDS_PER_DAY, _FOREVER)
        days = tf.sort(days, axis=1)
        gaps = days[:, 1:] - days[:, :-1]
        real = tf.logical_and(days[:, 1:] < _FOREVER, gaps > 0)
        ever = tf.reduce_any(dated, axis=1)
        first = tf.cast(ever, tf.int64)
        answer = {"purchase_days": first + tf.reduce_sum(tf.cast(real, tf.int64), axis=1)}
        rhythm = self._tables.rhythm
        if rhythm is None:
            return answer | {name: tf.zeros_like(now) for name in names}
        logs = tf.math.log(tf.cast(tf.where(real, gaps, 1), tf.float32))
        count = tf.reduce_sum(tf.cast(real, tf.float32), axis=1)
        weight = count + rhythm.strength
        mean = (tf.reduce_sum(logs, axis=1) + rhythm.strength * rhythm.mean) / weight
        deviation = rhythm.spread * tf.sqrt(1.0 + 1.0 / weight)
        last = tf.reduce_max(tf.where(days < _FOREVER, days, 0), axis=1)
        waited = tf.cast(now // SECONDS_PER_DAY - last, tf.float32)
        waited = (tf.math.log(tf.maximum(waited, 1e-9)) - mean) / deviation
        places = tf.constant(rhythm.places, tf.float32)
        # One more in front: before the first place everybody is left.
        survival = tf.constant(np.append(1.0, rhythm.survival), tf.float32)
        left = tf.gather(survival, tf.searchsorted(places, waited, side="right"))
        for name, chance in zip(names, QUANTILES, strict=True):
            goal = left * (1.0 - chance)
            found = tf.searchsorted(-survival[1:], -goal, side="left")
            some = found < len(rhythm.places)
            place = tf.gather(places, tf.minimum(found, len(rhythm.places) - 1))
            ahead = tf.exp(mean + deviation * place) * SECONDS_PER_DAY
            moment = last * SECONDS_PER_DAY + tf.cast(ahead, tf.int64)
            answer[name] = tf.where(tf.logical_and(ever, some), tf.maximum(moment, now), 0)
        return answer
