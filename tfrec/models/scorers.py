"""Trained models behind the evaluation's `Scorer` interface."""

import numpy as np
import tensorflow as tf

from tfrec.data.dataset import Histories
from tfrec.models.retrieval import RetrievalModel


def padded_histories(histories: Histories, max_history: int) -> dict[str, np.ndarray]:
    """Returns the last `max_history` events of every shopper, padded on the right with 0.

    Returns:
        `item`, `event`, `timestamp` and `context/<column>` int64 `[shoppers, length]`, and
        `length` int64 `[shoppers]`, where `length` is that of the longest history kept.
    """
    ends = histories.offsets[1:]
    lengths = np.minimum(ends - histories.offsets[:-1], max_history)
    longest = max(int(lengths.max(initial=0)), 1)
    columns = np.arange(longest)
    index = (ends - lengths)[:, None] + columns
    inside = columns < lengths[:, None]
    safe = np.where(inside, index, 0)

    def pad(values: np.ndarray) -> np.ndarray:
        if not len(values):
            return np.zeros(inside.shape, np.int64)
        return np.where(inside, values[safe], 0).astype(np.int64)

    padded = {
        "item": pad(histories.item),
        "event": pad(histories.event),
        "timestamp": pad(histories.timestamp),
        "length": lengths.astype(np.int64),
    }
    for column, values in histories.context.items():
        padded[f"context/{column}"] = pad(values)
    return padded


class RetrievalScorer:
    """Scores the whole catalogue by the cosine of query and item vectors."""

    name = "retrieval"

    def __init__(self, model: RetrievalModel) -> None:
        self._model = model
        self._vectors = model.item_vectors()
        self._last_states = tf.function(self._score_padded, reduce_retracing=True)

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 `[shoppers, num_items + 1]`; column 0 has no meaning."""
        padded = padded_histories(histories, self._model.config.max_history)
        return self._last_states({name: tf.constant(v) for name, v in padded.items()}).numpy()

    def _score_padded(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        states = self._model.query_vectors(inputs, self._vectors)
        last = tf.gather(states, inputs["length"], batch_dims=1)
        scores = tf.cast(tf.linalg.matmul(last, self._vectors, transpose_b=True), tf.float32)
        if self._model.repeat_bonus is not None:
            scores += self._model.repeat_bonus(inputs["item"], inputs["length"], scores.shape[1])
        return scores
