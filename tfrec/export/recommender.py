"""The signatures of the exported recommender: retrieval, ranking and display order in one call."""

from collections.abc import Mapping
from functools import partial

import tensorflow as tf

from tfrec.config import DisplayConfig, SurfaceConfig
from tfrec.explaining.history_reasons import (
    event_weights,
    history_weights,
    mean_vector,
    strongest,
)
from tfrec.explaining.word_reasons import WordReasons
from tfrec.export.histories import TEXTS, HistoryReader
from tfrec.export.ranking import named_probabilities
from tfrec.export.requests import RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.models.recommender import Recommender, Retriever
from tfrec.rerank.display_order import PLACEMENTS
from tfrec.towers.histories import History, last_events

DEFAULT = "serving_default"
SEED = "seed"


class RecommenderSignatures:
    """What the model `recommender` offers: one signature a surface of the shop.

    The rules of a surface are constants of its signature. As inputs they would be required of
    every client, as all inputs of a signature are, and any client could switch them off.

    Args:
        items: the item table.
        histories: reads histories.
        words: names the words that speak for an item.
        surfaces: the recommender of each surface, by the name of its signature, with candidates
            for at least `k` items; they share one retriever.
        k: how many items an answer has.
        hide_history: whether items of the history are never recommended.
    """

    def __init__(
        self,
        items: ServedItems,
        histories: HistoryReader,
        words: WordReasons,
        surfaces: Mapping[str, Recommender],
        k: int,
        hide_history: bool,
    ) -> None:
        self._items = items
        self._requests = RequestReader(items, histories, hide_history)
        self._words = words
        self._surfaces = dict(surfaces)
        self._k = k

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name.

        All but `serving_default` have a further input, `seed`: the same one leaves the same to
        chance. There the history is the seed, so that clients need not know of it.
        """
        seed = {SEED: TEXTS}
        return {
            name: Signature(
                partial(self.recommend, name),
                self._requests.inputs if name == DEFAULT else {**self._requests.inputs, **seed},
            )
            for name in self._surfaces
        }

    def recommend(self, surface: str, inputs: Tensors) -> Tensors:
        """Returns the items to show for each history, in the order to show them, `[batch, k]`."""
        history, hidden = self._requests.read(inputs)
        recommender = self._surfaces[surface]
        shown = recommender.show(
            history, hidden, self._items.available, count=self._k, seeds=inputs.get(SEED)
        )
        return {
            "item_id": self._items.ids(shown.items),
            "score": shown.values,
            **named_probabilities(shown.probabilities, shown.items),
            **self._reasons(recommender.retriever, history, shown.items),
            "placement": tf.gather(tf.constant(PLACEMENTS), shown.placement),
        }

    def _reasons(self, retriever: Retriever, history: History, items: tf.Tensor) -> Tensors:
        """Returns what speaks for each recommended item; returned goods are no reason.

        Args:
            retriever: holds the item vectors.
            history: the history.
            items: int64 `[batch, k]`.
        """
        recent = last_events(history, retriever.model.config.max_history)
        past = recent["item"]
        usable = past > 0
        returned = retriever.model.spec.return_event_index
        if returned is not None:
            usable = tf.logical_and(usable, recent["event"] != returned)
        weight = event_weights(recent["length"], usable)
        reasons, weights = strongest(
            history_weights(retriever.index, items, past, weight), past, items
        )
        ids = self._items.ids(reasons)
        return {
            "reason_item_id": ids[:, :, 0],
            "reason_item_ids": ids,
            "reason_weights": weights,
            "reason_words": self._words(mean_vector(retriever.index, past, weight), items),
        }


def surfaces_of(config: DisplayConfig) -> dict[str, SurfaceConfig]:
    """Returns the surfaces of a configuration by the names of their signatures."""
    return {DEFAULT: config, **config.surfaces}
