"""The signatures of the exported recommender: retrieval, ranking and display order in one call."""

import tensorflow as tf

from tfrec.export.histories import HistoryReader
from tfrec.export.ranking import named_probabilities
from tfrec.export.requests import RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import NEVER
from tfrec.models.recommender import Recommender
from tfrec.towers.histories import History, last_events

# By how much, in terms of a cosine, an old event is less of a reason than the last one at most,
# and how fast it becomes old.
AGE_PENALTY = 0.1
AGE_DECAY = 0.9


class RecommenderSignatures:
    """What the model `recommender` offers.

    Args:
        items: the item table.
        histories: reads histories.
        recommender: the two stages; it must pass on at least `k` candidates.
        k: how many items an answer has.
        hide_history: whether items of the history are never recommended.
    """

    def __init__(
        self,
        items: ServedItems,
        histories: HistoryReader,
        recommender: Recommender,
        k: int,
        hide_history: bool,
    ) -> None:
        self._items = items
        self._requests = RequestReader(items, histories, hide_history)
        self._recommender = recommender
        self._k = k

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        return {"serving_default": Signature(self.recommend, self._requests.inputs)}

    def recommend(self, inputs: Tensors) -> Tensors:
        """Returns the items to show for each history, in the order to show them, `[batch, k]`."""
        history, hidden = self._requests.read(inputs)
        items, values, probabilities = self._recommender.recommend(
            history, hidden, self._items.available
        )
        items, values = items[:, : self._k], values[:, : self._k]
        shown = {event: chances[:, : self._k] for event, chances in probabilities.items()}
        return {
            "item_id": self._items.ids(items),
            "score": values,
            **named_probabilities(shown, items),
            "reason_item_id": self._items.ids(self._reasons(history, items)),
        }

    def _reasons(self, history: History, items: tf.Tensor) -> tf.Tensor:
        """Returns the item of the history that speaks most for each recommended one.

        That is the one with the largest cosine of item vectors, less a penalty that grows with its
        age in steps to `AGE_PENALTY`: what is most alike wins, and among equals what is latest.
        Returned goods are no reason.

        Args:
            history: the history.
            items: int64 `[batch, k]`.

        Returns:
            int64 `[batch, k]`; 0 where there is no reason.
        """
        retriever = self._recommender.retriever
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
