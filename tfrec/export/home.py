"""The signature of the home page: several shelves in one call, no product twice."""

from collections.abc import Callable

import tensorflow as tf

from tfrec.config import HomeConfig
from tfrec.export.requests import EXCLUDED, NOW, TIMES, RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.export.shelves import ShelfScores
from tfrec.index.exact import NEVER
from tfrec.models.recommender import Recommender
from tfrec.surfaces.page import LEFT_OUT, STATES, fill_page
from tfrec.surfaces.similar import Similar
from tfrec.towers.histories import History, last_events

HOME_PAGE = "home_page"
FOR_YOU, BECAUSE_OF, BUY_AGAIN = "for_you", "because_of", "buy_again"
RECENT = 50
"""Latest events among which the one is looked for that a shelf is because of."""


class HomeSignatures:
    """What the model `recommender` offers of a home page.

    Args:
        items: the item table.
        requests: reads requests, with the rule on items of the history of all recommendations.
        recommender: both stages with the display order.
        scores: scores the catalogue for the shelves.
        similar: products like a product.
        config: which shelves.
    """

    def __init__(
        self,
        items: ServedItems,
        requests: RequestReader,
        recommender: Recommender,
        scores: ShelfScores,
        similar: Similar,
        config: HomeConfig,
    ) -> None:
        self._items = items
        self._requests = requests
        self._recommender = recommender
        self._scores = scores
        self._similar = similar
        self._config = config

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        return {HOME_PAGE: Signature(self.page, {**self._requests.inputs, NOW: TIMES})}

    def page(self, inputs: Tensors) -> Tensors:
        """Returns the shelves of each page, from the top.

        `item_id` and `score` are `[batch, shelves, places]`, "" where there is no product; a
        product's `filler` says that it fills a gap of a shelf that it is not of. `shelf`, `state`
        and `reason_item_id` are `[batch, shelves]`.
        """
        history, hidden = self._requests.read(inputs)
        wanted = self._scores.wanted(history)
        for_you = self._for_you(history, hidden, wanted)
        anchor = self._anchor(history)

        def scores_of(kind: str) -> tf.Tensor:
            if kind == FOR_YOU:
                return for_you
            if kind == BUY_AGAIN:
                # What was bought is in the history, so no rule of other shelves can hide it.
                excluded = self._items.indices(inputs[EXCLUDED])
                return self._again(history, excluded, inputs[NOW])
            if kind == BECAUSE_OF:
                return self._because(history, hidden, wanted, anchor)
            shelf: Callable[..., tf.Tensor] = getattr(self._scores, kind)
            return shelf(history, hidden, wanted)

        scores = [scores_of(shelf.kind) for shelf in self._config.shelves]
        page = fill_page(self._config.shelves, scores, for_you)
        kinds = tf.constant([shelf.kind for shelf in self._config.shelves])
        because = tf.constant([shelf.kind == BECAUSE_OF for shelf in self._config.shelves])
        shown = page.states != STATES.index(LEFT_OUT)
        reason = tf.where(tf.logical_and(because, shown), anchor[:, tf.newaxis], 0)
        return {
            "item_id": self._items.ids(page.items),
            "score": page.scores,
            "filler": tf.logical_and(page.items > 0, tf.logical_not(page.own)),
            "shelf": tf.tile(kinds[tf.newaxis], [tf.shape(anchor)[0], 1]),
            "state": tf.gather(tf.constant(STATES), page.states),
            "reason_item_id": self._items.ids(reason),
        }

    def _again(self, history: History, hidden: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        again = self._scores.buy_again(history, hidden, now)
        if again is None:
            return tf.fill([tf.shape(hidden)[0], tf.size(self._items.available)], NEVER)
        return tf.where(again.logits > NEVER / 2, tf.sigmoid(again.logits), NEVER)

    def _because(
        self, history: History, hidden: tf.Tensor, wanted: tf.Tensor, anchor: tf.Tensor
    ) -> tf.Tensor:
        retriever = self._recommender.retriever
        texts = retriever.model.catalogue.text
        likeness = self._similar.scores(anchor, retriever.index, texts)
        scores = self._scores.alike(history, hidden, wanted, likeness)
        return tf.where((anchor > 0)[:, tf.newaxis], scores, NEVER)

    def _for_you(self, history: History, hidden: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Returns the recommended items by their places: 1 for the first, down to 0."""
        count = self._recommender.candidates
        shown = self._recommender.show(
            history, hidden, self._items.available, count=count, scores=wanted
        )
        places = tf.range(count, 0, -1, dtype=tf.float32)[tf.newaxis] / count
        rows = tf.repeat(tf.range(tf.shape(shown.items, tf.int64)[0]), count)
        index = tf.stack([rows, tf.reshape(shown.items, [-1])], axis=1)
        values = tf.where(shown.items > 0, places, NEVER)
        laid_out = tf.fill([tf.shape(shown.items)[0], tf.size(self._items.available)], NEVER)
        return tf.tensor_scatter_nd_max(laid_out, index, tf.reshape(values, [-1]))

    def _anchor(self, history: History) -> tf.Tensor:
        """Returns the latest item of each history that was not sent back, 0 for none."""
        recent = last_events(history, RECENT)
        items = recent["item"]
        usable = items > 0
        returned = self._recommender.retriever.model.spec.return_event_index
        if returned is not None:
            back = tf.where(recent["event"] == returned, items, 0)
            same = items[:, :, tf.newaxis] == back[:, tf.newaxis]
            usable = tf.logical_and(usable, tf.logical_not(tf.reduce_any(same, axis=2)))
        place = tf.where(usable, tf.range(1, tf.shape(items)[1] + 1), 0)
        last = tf.reduce_max(place, axis=1)
        found = tf.gather(items, tf.maximum(last - 1, 0), batch_dims=1)
        return tf.where(last > 0, found, 0)
