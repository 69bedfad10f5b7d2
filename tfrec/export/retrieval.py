"""The signatures of the exported retrieval model."""

import numpy as np
import tensorflow as tf

from tfrec.export.histories import TEXTS, HistoryReader
from tfrec.export.item_reader import ItemReader
from tfrec.export.requests import RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import NEVER, hide_items, hide_unavailable
from tfrec.models.recommender import Retriever
from tfrec.towers.bert.tower import BertTextTower

# What a shopper's own taste adds to a search: cosines of texts that fit and texts that do not are
# some .3 apart, so taste decides between items that fit about equally well, and no more.
TASTE = 0.05


class RetrievalSignatures:
    """What the model `retrieval` offers.

    Args:
        items: the item table.
        histories: reads histories.
        products: reads descriptions of products.
        retriever: the trained model.
        text_tower: the BERT that the item texts were read with.
        k: how many items an answer has.
        hide_history: whether items of the history are never recommended.
    """

    def __init__(
        self,
        items: ServedItems,
        histories: HistoryReader,
        products: ItemReader,
        retriever: Retriever,
        text_tower: BertTextTower,
        k: int,
        hide_history: bool,
    ) -> None:
        self._items = items
        self._histories = histories
        self._products = products
        self._retriever = retriever
        self._text_tower = text_tower
        self._requests = RequestReader(items, histories, hide_history)
        self._k = k
        model = retriever.model
        self._placement = model.id_offsets.placement()
        # An unsold item's own offset is what being a negative example made of it, if anything.
        alone = ~items.trained.numpy() & (model.id_offsets.learned() | (not model.config.stand_ins))
        self._alone = tf.Variable(alone & (np.arange(len(alone)) > 0), trainable=False)

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        histories = self._histories.inputs
        item = {"item_id": TEXTS}
        return {
            "serving_default": Signature(self.recommend, self._requests.inputs),
            "similar": Signature(self.similar, item),
            "search": Signature(self.search, {"query": TEXTS, **histories}),
            "embed_query": Signature(self.embed_query, histories),
            "embed_item": Signature(self.embed_item, self._products.inputs),
            "describe": Signature(self.describe, item),
        }

    def recommend(self, inputs: Tensors) -> Tensors:
        """Returns the items with the best scores for each history, `[batch, k]`."""
        history, hidden = self._requests.read(inputs)
        return self._answer(hide_items(self._retriever.scores(history), hidden))

    def similar(self, inputs: Tensors) -> Tensors:
        """Returns the items whose vectors have the largest cosine with an item's.

        An item that training never met as a target is looked for by where its stand-ins put it,
        as the index has it. An unknown item has no answer: all ids are "".
        """
        items = self._items.indices(inputs["item_id"])
        model = self._retriever.model
        features = model.catalogue.features(items)
        features["id"] = tf.zeros_like(items)
        vectors = tf.where(
            tf.gather(self._alone, items)[:, tf.newaxis],
            tf.cast(model.item_tower(features), tf.float32),
            self._retriever.index.rows(items),
        )
        scores = self._retriever.index.products(vectors)
        known = (items > 0)[:, tf.newaxis]
        return self._answer(tf.where(known, hide_items(scores, items[:, tf.newaxis]), NEVER))

    def search(self, inputs: Tensors) -> Tensors:
        """Returns the items whose texts have the largest cosine with a query's.

        A shopper's history adds `TASTE` times the cosine of his vector with the item's.
        """
        history = self._histories.read(inputs)
        queries = self._text_tower(inputs["query"])
        texts = self._retriever.model.catalogue.text
        fits = tf.linalg.matmul(queries, texts, transpose_b=True)
        taste = self._retriever.index.products(self._retriever.query_vectors(history))
        has_history = tf.cast(history["length"] > 0, tf.float32)[:, tf.newaxis]
        return self._answer(fits + TASTE * has_history * taste)

    def embed_query(self, inputs: Tensors) -> Tensors:
        """Returns the unit vector `[batch, dimension]` of each history."""
        return {"embedding": self._retriever.query_vectors(self._histories.read(inputs))}

    def embed_item(self, inputs: Tensors) -> Tensors:
        """Returns the unit vector `[batch, dimension]` of each product that is described.

        It is the one that the product will have in the index when it is added to the catalogue.
        """
        text = self._text_tower(self._products.text(inputs))
        features = self._products.features(inputs, text)
        tower = self._retriever.model.item_tower
        vectors = tf.cast(tower(features), tf.float32)
        if self._placement is not None:
            features["id"] = tf.range(tf.shape(vectors)[0])
            vectors = tower(features, offsets=self._placement.offsets(vectors))
        return {"embedding": tf.cast(vectors, tf.float32)}

    def describe(self, inputs: Tensors) -> Tensors:
        """Returns what is known of each item, `[batch]`."""
        items = self._items.indices(inputs["item_id"])
        return {
            "title": tf.gather(self._items.titles, items),
            "price": tf.gather(self._items.prices, items),
            "known": items > 0,
        }

    def _answer(self, scores: tf.Tensor) -> Tensors:
        return self._items.best(hide_unavailable(scores, self._items.available), self._k)
