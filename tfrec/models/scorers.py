"""Trained models behind the evaluation's `Scorer` interface."""

import numpy as np
import tensorflow as tf

from tfrec.data.records import Histories
from tfrec.models.asking import padded
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import NO_VALUE, Recommender, Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.histories import History, pad_histories


class RetrievalScorer:
    """Scores the whole catalogue with the retrieval model alone.

    Args:
        model: the trained model.
        opening: as in `Retriever`.
    """

    name = "retrieval"

    def __init__(self, model: RetrievalModel, opening: np.ndarray | None = None) -> None:
        self._max_history = model.config.max_history
        self._retriever = Retriever(model, opening)
        self._scores = OpenGraph(self._retriever.scores)

    @property
    def item_vectors(self) -> np.ndarray:
        """Unit vectors of all items float32 `[num_items + 1, dimension]`; row 0 has no meaning."""
        return self._retriever.vectors.numpy()

    def refresh(self) -> None:
        """Takes over what the model has learned since."""
        self._retriever.refresh()

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 `[shoppers, num_items + 1]`; column 0 has no meaning."""
        return self._scores(pad_histories(histories, self._max_history)).numpy()


class TwoStageScorer:
    """Orders the retrieved candidates by the ranking model, all other items after them.

    With a display order, the candidates stand in it, and their scores say no more than that.

    Args:
        recommender: the two stages, and the display order if there is one.
        hide_history: whether items of the history are no candidates; so it must be where the
            evaluation masks them, or they would take the places of others.
    """

    def __init__(self, recommender: Recommender, *, hide_history: bool) -> None:
        self.name = "retrieval+ranking" + ("" if recommender.display is None else "+display")
        self._recommender = recommender
        self._hide_history = hide_history
        self._scores = OpenGraph(self._score)

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 `[shoppers, num_items + 1]`; column 0 has no meaning."""
        return self._scores(
            *padded(self._recommender, histories, hide_history=self._hide_history)
        ).numpy()

    def _score(self, history: History, hidden: tf.Tensor) -> tf.Tensor:
        count = self._recommender.candidates
        first_stage = self._recommender.retriever.scores(history)
        shown = self._recommender.show(history, hidden, count=count, scores=first_stage)
        items, values = shown.items, shown.values
        if self._recommender.display is not None:
            places = tf.range(count, 0, -1, dtype=tf.float32)[tf.newaxis] / count
            values = tf.where(items > 0, places, NO_VALUE)
        # Shifted until the best of them is below the last of the candidates; a larger shift would
        # round the scores to fewer digits and make ties of them.
        best = tf.reduce_max(first_stage, axis=1, keepdims=True)
        first_stage += tf.reduce_min(values, axis=1, keepdims=True) - 1.0 - best
        batch = tf.shape(items, tf.int64)
        rows = tf.repeat(tf.range(batch[0]), batch[1])
        index = tf.stack([rows, tf.reshape(items, [-1])], axis=1)
        return tf.tensor_scatter_nd_update(first_stage, index, tf.reshape(values, [-1]))
