"""The signatures of the fitted search: words, letters and meaning, a shopper's taste, filters."""

import tensorflow as tf

from tfrec.export.histories import ROWS_OF_TEXT, TEXTS, HistoryReader
from tfrec.export.item_reader import ItemReader
from tfrec.export.retrieval import TASTE
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import NEVER, hide_items
from tfrec.models.recommender import Retriever
from tfrec.surfaces.letters import cut
from tfrec.surfaces.search import Search
from tfrec.towers.bert.tower import BertTextTower

CATEGORY, PRICE_FROM, PRICE_TO = "filter_category", "filter_price_from", "filter_price_to"
SOLD_OUT = "include_sold_out"


class SearchSignatures:
    """What fits a query.

    Args:
        items: the item table.
        histories: reads histories.
        products: reads descriptions of products.
        retriever: the trained model.
        text_tower: the BERT that the item texts were read with.
        search: words and letters of the items, and how much each part says.
        k: how many items an answer has.
    """

    def __init__(
        self,
        items: ServedItems,
        histories: HistoryReader,
        products: ItemReader,
        retriever: Retriever,
        text_tower: BertTextTower,
        search: Search,
        k: int,
    ) -> None:
        self._items = items
        self._histories = histories
        self._retriever = retriever
        self._text_tower = text_tower
        self._search = search
        self._k = k
        self._products = products

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        inputs = {"query": TEXTS, **self._histories.inputs}
        price = tf.TensorSpec([None], tf.float32)
        filters = {
            CATEGORY: ROWS_OF_TEXT,
            PRICE_FROM: price,
            PRICE_TO: price,
            SOLD_OUT: tf.TensorSpec([None], tf.bool),
        }
        return {
            "search": Signature(self.search, inputs),
            "filtered_search": Signature(self.filtered_search, {**inputs, **filters}),
        }

    def search(self, inputs: Tensors) -> Tensors:
        """Returns the items that fit each query best, `[batch, k]`.

        The cosine of a shopper's vector with the items' counts `TASTE` beside the fit, which is 1
        at most; it decides alone where a query has no word.
        """
        return self._answer(inputs, self._items.available)

    def filtered_search(self, inputs: Tensors) -> Tensors:
        """Returns the items that fit each query best among those that pass its filters.

        A category (several of one query: any of them) may be of any categorical column, and ""
        stands for none; a price of NaN is no bound, and an item without a price passes none.
        """
        prices = self._items.prices
        lowest, highest = (inputs[name][:, tf.newaxis] for name in (PRICE_FROM, PRICE_TO))
        cheap = tf.logical_or(tf.math.is_nan(highest), prices <= highest)
        dear = tf.logical_or(tf.math.is_nan(lowest), prices >= lowest)
        here = tf.logical_or(self._items.available, inputs[SOLD_OUT][:, tf.newaxis])
        wanted = self._in_categories(inputs[CATEGORY])
        passing = tf.logical_and(tf.logical_and(cheap, dear), tf.logical_and(here, wanted))
        return self._answer(inputs, passing)

    def _answer(self, inputs: Tensors, passing: tf.Tensor) -> Tensors:
        queries = cut(inputs["query"])
        meanings = self._text_tower(queries)
        scores, readable = self._search.scores(
            queries, meanings, self._retriever.model.catalogue.text
        )
        history = self._histories.read(inputs)
        vectors = self._retriever.query_vectors(history)
        taste = self._retriever.index.products(vectors)
        # Without a word, what a shopper without a history likes is better than nothing.
        counts = tf.logical_or(history["length"] > 0, tf.logical_not(readable))
        scores += TASTE * tf.cast(counts, tf.float32)[:, tf.newaxis] * taste
        none = tf.zeros([tf.shape(queries)[0], 1], tf.int64)
        shown = tf.where(passing, hide_items(scores, none), NEVER)
        return self._items.best(shown, self._k)

    def _in_categories(self, names: tf.Tensor) -> tf.Tensor:
        """Returns bool `[batch, num_items + 1]`: whether an item is in one of the categories."""
        asked = tf.reduce_any(names != "", axis=1)[:, tf.newaxis]
        inside = tf.zeros_like(self._items.available)[tf.newaxis]
        for column, values in self._retriever.model.catalogue.categories.items():
            wanted = self._products.category(column, names)[:, :, tf.newaxis, tf.newaxis]
            hits = tf.logical_and(wanted == values, wanted > 0)
            inside = tf.logical_or(inside, tf.reduce_any(hits, axis=[1, 3]))
        return tf.logical_or(inside, tf.logical_not(asked))
