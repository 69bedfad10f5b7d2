"""Features of a (shopper, candidate) pair, computed inside the graph."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfrec.data.item_counts import SECONDS_PER_DAY
from tfrec.data.log_statistics import ITEM_STATISTICS, LogStatistics
from tfrec.models.alike_items import AlikeItems
from tfrec.models.linked_items import HITS, LINKS, RECENT, WEIGHTINGS, LinkedItems
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.histories import step_weights

STEP_DECAY = 0.7
HALF_LIFE_DAYS = 30.0
RETRIEVAL_FEATURES = ("retrieval_score", "retrieval_log_probability", "retrieval_gap_to_best")


def retrieval_features(scores: tf.Tensor, candidates: tf.Tensor, temperature: float) -> tf.Tensor:
    """Describes how the retrieval model sees candidates among the whole catalogue.

    They depend on the shopper and the candidate alone, never on the other candidates, so that any
    list of candidates may be ranked.

    Args:
        scores: float32 `[batch, num_items + 1]`, cosines; column 0 has no meaning.
        candidates: int `[batch, num_candidates]`.
        temperature: the temperature that the retrieval model was trained with.

    Returns:
        float32 `[batch, num_candidates, 3]`, named by `RETRIEVAL_FEATURES`.
    """
    real = scores[:, 1:]
    partition = tf.reduce_logsumexp(real / temperature, axis=1, keepdims=True)
    best = tf.reduce_max(real, axis=1, keepdims=True)
    own = tf.gather(scores, candidates, batch_dims=1)
    return tf.stack([own, own / temperature - partition, own - best], axis=-1)


def feature_names(category_columns: Iterable[str]) -> list[str]:
    """Returns the names of a candidate's features, in their order.

    Args:
        category_columns: the catalogue's columns of categories.
    """
    return [
        *RETRIEVAL_FEATURES,
        *[f"own_{name}" for name in WEIGHTINGS],
        *[f"{link}_{name}" for link, weightings in LINKS.items() for name in weightings],
        *[f"neighbour_share_{name}" for name in HITS],
        *[f"text_{name}" for name in HITS],
        "log_price",
        "price_known",
        "price_gap",
        *[f"category_{column}" for column in category_columns],
        *ITEM_STATISTICS,
        "history_log_length",
        "history_repeat_share",
        "history_return_share",
    ]


class CandidateFeatures(tf.Module):
    """Describes candidates by what a shopper did and by what the log says of them.

    The history is laid out over the catalogue once a request, in every weighting of `WEIGHTINGS`;
    a candidate then reads its own weight (has the shopper had it, how lately), that of its
    categories, and that of the items it is linked to (`LinkedItems`).

    Args:
        catalogue: features of all items.
        statistics: co-occurrence and item counts of the training log.
        target_events: event types, from 1, that count as a hit.
        return_event: event type of returns, or `None`.
        known_alike: the items described alike, as far as they were found before.

    Attributes:
        alike: the items described alike.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        statistics: LogStatistics,
        target_events: list[int],
        return_event: int | None,
        known_alike: AlikeItems | None = None,
    ) -> None:
        super().__init__(name="candidate_features")
        self.catalogue = catalogue
        self.item_statistics = tf.Variable(statistics.items, trainable=False)
        self.sales = tf.Variable(statistics.sales, trainable=False)
        text = catalogue.text.numpy()
        centred = text - text[1:].mean(axis=0)
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        centred = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 1e-6)
        centred[0] = 0.0
        self.text = tf.Variable(centred, trainable=False)
        self.alike = AlikeItems.of(text, centred, known_alike)
        self._linked = LinkedItems(statistics, centred, self.alike)
        price = catalogue.price.numpy()
        known = np.isfinite(price)
        log_price = np.where(known, np.log1p(np.where(known, np.maximum(price, 0), 0)), 0)
        self.log_price = tf.Variable(log_price.astype(np.float32), trainable=False)
        self.price_known = tf.Variable(known.astype(np.float32), trainable=False)
        self._target_events = tf.constant(target_events, tf.int64)
        self._return_event = return_event
        self._category_sizes = {
            column: int(tf.reduce_max(table)) + 1 for column, table in catalogue.categories.items()
        }

    def fill(self, statistics: LogStatistics) -> None:
        """Takes over other statistics of the same items."""
        self._linked.fill(statistics, self.text.numpy())
        self.item_statistics.assign(statistics.items)
        self.sales.assign(statistics.sales)

    @property
    def names(self) -> list[str]:
        """The names of the features, in the order of the last axis."""
        return feature_names(self._category_sizes)

    def __call__(
        self,
        items: tf.Tensor,
        events: tf.Tensor,
        timestamps: tf.Tensor,
        candidates: tf.Tensor,
        retrieval: tf.Tensor,
    ) -> tf.Tensor:
        """Returns float32 `[batch, num_candidates, len(names)]`.

        Args:
            items: int64 `[batch, length]`, the history, oldest first, 0 pads on the right.
            events: int64 `[batch, length]`.
            timestamps: int64 `[batch, length]`, unix seconds; 0 for unknown.
            candidates: int64 `[batch, num_candidates]`; 0 for none.
            retrieval: float32 `[batch, num_candidates, 3]`, see `retrieval_features`.
        """
        weights = self._history_weights(items, events, timestamps)
        hits, steps, _, _, returns = tf.unstack(weights, axis=-1)
        # What most tables read is laid out a second time: slicing the first would cost more.
        recent = tf.gather(weights, [WEIGHTINGS.index(name) for name in RECENT], axis=-1)
        laid_out = self._lay_out(items, weights)
        by_weightings = {WEIGHTINGS: laid_out, RECENT: self._lay_out(items, recent)}
        own = tf.gather(laid_out, candidates, batch_dims=1)
        linked = {
            link: self._linked(link, by_weightings[weightings], candidates)
            for link, weightings in LINKS.items()
        }
        of_hits = weights[..., : len(HITS)]
        totals = tf.reduce_sum(of_hits, axis=1)[:, tf.newaxis]
        shares = tf.math.divide_no_nan(linked["neighbour"][..., : len(HITS)], totals)
        text = self._text_similarity(items, of_hits, candidates)
        count = tf.reduce_sum(hits, axis=1, keepdims=True)
        repeats = tf.reduce_sum(tf.nn.relu(laid_out[..., 0] - 1.0), axis=1, keepdims=True)
        shopper = tf.concat(
            [
                tf.math.log1p(count),
                tf.math.divide_no_nan(repeats, count),
                tf.math.divide_no_nan(tf.reduce_sum(returns, axis=1, keepdims=True), count),
            ],
            axis=1,
        )
        num_candidates = tf.shape(candidates)[1]
        columns = [
            retrieval,
            tf.math.log1p(own),
            *[tf.math.log1p(values) for values in linked.values()],
            shares,
            text,
            self._price_features(items, steps, candidates),
            self._category_shares(items, hits, candidates),
            tf.gather(self.item_statistics, candidates),
            tf.repeat(shopper[:, tf.newaxis], num_candidates, axis=1),
        ]
        return tf.concat([column for column in columns if column is not None], axis=-1)

    def _history_weights(
        self, items: tf.Tensor, events: tf.Tensor, timestamps: tf.Tensor
    ) -> tf.Tensor:
        present = items > 0
        hits = tf.reduce_any(events[..., tf.newaxis] == self._target_events, axis=-1)
        hits = tf.logical_and(hits, present)
        hit = tf.cast(hits, tf.float32)
        last = tf.reduce_max(timestamps, axis=1, keepdims=True)
        days = tf.cast(last - timestamps, tf.float32) / SECONDS_PER_DAY
        returned = tf.zeros_like(hit)
        if self._return_event is not None:
            returned = tf.cast(tf.logical_and(events == self._return_event, present), tf.float32)
        fading = tf.pow(2.0, -tf.maximum(days, 0.0) / HALF_LIFE_DAYS)
        steps, newest = step_weights(hits, STEP_DECAY), step_weights(hits, 0.0)
        return tf.stack([hit, steps, hit * fading, newest, returned], axis=-1)

    def _lay_out(self, items: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Sums `[batch, length, weightings]` by item: `[batch, num_items + 1, weightings]`."""
        batch, length = tf.shape(items, tf.int64)[0], tf.shape(items, tf.int64)[1]
        rows = tf.repeat(tf.range(batch), length)
        index = tf.stack([rows, tf.reshape(items, [-1])], axis=1)
        count = weights.shape[-1]
        sizes = tf.constant([self.catalogue.num_items + 1, count], tf.int64)
        shape = tf.concat([[batch], sizes], axis=0)
        return tf.scatter_nd(index, tf.reshape(weights, [-1, count]), shape)

    def _text_similarity(
        self, items: tf.Tensor, weights: tf.Tensor, candidates: tf.Tensor
    ) -> tf.Tensor:
        history = tf.gather(self.text, items)
        profile = tf.einsum("blh,blw->bwh", history, weights)
        profile = tf.math.l2_normalize(profile, axis=-1, epsilon=1e-9)
        return tf.einsum("bnh,bwh->bnw", tf.gather(self.text, candidates), profile)

    def _price_features(
        self, items: tf.Tensor, weights: tf.Tensor, candidates: tf.Tensor
    ) -> tf.Tensor:
        known = tf.gather(self.price_known, items) * weights
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(tf.gather(self.log_price, items) * known, axis=1, keepdims=True),
            tf.reduce_sum(known, axis=1, keepdims=True),
        )
        price = tf.gather(self.log_price, candidates)
        has_price = tf.gather(self.price_known, candidates)
        gap = (price - mean) * has_price * tf.cast(mean > 0, tf.float32)
        return tf.stack([price, has_price, gap], axis=-1)

    def _category_shares(
        self, items: tf.Tensor, hits: tf.Tensor, candidates: tf.Tensor
    ) -> tf.Tensor | None:
        if not self._category_sizes:
            return None
        total = tf.reduce_sum(hits, axis=1, keepdims=True)
        batch = tf.shape(items, tf.int64)[0]
        shares = []
        for column, size in self._category_sizes.items():
            table = self.catalogue.categories[column]
            values = tf.cast(tf.gather(table, items), tf.int64)
            count = tf.shape(values, tf.int64)
            rows = tf.repeat(tf.range(batch), count[1] * count[2])
            index = tf.stack([rows, tf.reshape(values, [-1])], axis=1)
            spread = tf.repeat(tf.reshape(hits, [-1]), count[2])
            counts = tf.scatter_nd(index, spread, tf.stack([batch, tf.constant(size, tf.int64)]))
            wanted = tf.gather(table, candidates)
            matching = tf.gather(counts, wanted, batch_dims=1)
            present = tf.cast(wanted > 0, tf.float32)
            mean = tf.math.divide_no_nan(
                tf.reduce_sum(matching * present, axis=-1), tf.reduce_sum(present, axis=-1)
            )
            shares.append(tf.math.divide_no_nan(mean, total))
        return tf.stack(shares, axis=-1)
