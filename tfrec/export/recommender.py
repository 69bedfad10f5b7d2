"""The signatures of the exported recommender: retrieval, ranking and display order in one call."""

from collections.abc import Mapping
from functools import partial

import tensorflow as tf

from tfrec.config import DisplayConfig, SurfaceConfig
from tfrec.export.histories import TEXTS, HistoryReader
from tfrec.export.ranking import named_probabilities
from tfrec.export.requests import RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import NEVER
from tfrec.models.recommender import Recommender, Retriever
from tfrec.rerank.display_order import PLACEMENTS
from tfrec.towers.histories import History, last_events

DEFAULT = "serving_default"
SEED = "seed"
# By how much, in terms of a cosine, an old event is less of a reason than the last one at most,
# and how fast it becomes old.
AGE_PENALTY = 0.1
AGE_DECAY = 0.9


class RecommenderSignatures:
    """What the model `recommender` offers: one signature a surface of the shop.

    The rules of a surface are constants of its signature. As inputs they would be required of
    every client, as all inputs of a signature are, and any client could switch them off.

    Args:
        items: the item table.
        histories: reads histories.
        surfaces: the recommender of each surface, by the name of its signature, with candidates
            for at least `k` items; they share one retriever.
        k: how many items an answer has.
        hide_history: whether items of the history are never recommended.
    """

    def __init__(
        self,
        items: ServedItems,
        histories: HistoryReader,
        surfaces: Mapping[str, Recommender],
        k: int,
        hide_history: bool,
    ) -> None:
        self._items = items
        self._requests = RequestReader(items, histories, hide_history)
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
            "reason_item_id": self._items.ids(
                self._reasons(recommender.retriever, history, shown.items)
            ),
            "placement": tf.gather(tf.constant(PLACEMENTS), shown.placement),
        }

    def _reasons(self, retriever: Retriever, history: History, items: tf.Tensor) -> tf.Tensor:
        """Returns the item of the history that speaks most for each recommended one.

        That is the one with the largest cosine of item vectors, less a penalty that grows with its
        age in steps to `AGE_PENALTY`: what is most alike wins, and among equals what is latest.
        Returned goods are no reason.

        Args:
            retriever: holds the item vectors.
            history: the history.
            items: int64 `[batch, k]`.

        Returns:
            int64 `[batch, k]`; 0 where there is no reason.
        """
        recent = last_events(history, retriever.model.config.max_history)
        past, length = recent["item"], recent["length"]
        width = tf.shape(past, tf.int64)[1]
        age = tf.cast(tf.maximum(length[:, tf.newaxis] - 1 - tf.range(width), 0), tf.float32)
        penalty = AGE_PENALTY * (1.0 - tf.pow(AGE_DECAY, age))
        usable = past > 0
        returned = retriever.model.spec.return_event_index
        if returned is not None:
            usable = tf.logical_and(usable, recent["event"] != returned)
        cosines = tf.einsum(
            "bkd,bld->bkl",
            tf.gather(retriever.vectors, items),
            tf.gather(retriever.vectors, past),
        )
        usable = usable[:, tf.newaxis]
        weights = tf.where(usable, cosines - penalty[:, tf.newaxis], NEVER)
        best = tf.argmax(weights, axis=2)
        found = tf.logical_and(tf.reduce_any(usable, axis=2), items > 0)
        return tf.where(found, tf.gather(past, best, batch_dims=1), 0)


def surfaces_of(config: DisplayConfig) -> dict[str, SurfaceConfig]:
    """Returns the surfaces of a configuration by the names of their signatures."""
    return {DEFAULT: config, **config.surfaces}
