"""The signatures of the exported ranking model."""

import tensorflow as tf

from tfrec.data.tensor_names import PROBABILITY, tensor_names
from tfrec.export.histories import ROWS_OF_TEXT, HistoryReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.models.recommender import Ranker, Retriever

UNKNOWN_CANDIDATE = -1.0


class RankingSignatures:
    """What the model `ranking` offers: scores of candidates that the client chooses.

    Args:
        items: the item table.
        histories: reads histories.
        retriever: the first stage, whose view of a candidate is among the features.
        ranker: the second stage.
    """

    def __init__(
        self, items: ServedItems, histories: HistoryReader, retriever: Retriever, ranker: Ranker
    ) -> None:
        self._items = items
        self._histories = histories
        self._retriever = retriever
        self._ranker = ranker

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        inputs = {**self._histories.inputs, "candidate_item_id": ROWS_OF_TEXT}
        return {"serving_default": Signature(self.rank, inputs)}

    def rank(self, inputs: Tensors) -> Tensors:
        """Returns score and probabilities of each candidate, `[batch, num_candidates]`.

        Unknown candidates have the score -1, which no known one has, and probabilities 0.
        """
        history = self._histories.read(inputs)
        candidates = self._items.indices(inputs["candidate_item_id"])
        values, probabilities = self._ranker.rank(
            history, candidates, self._retriever.scores(history)
        )
        return {
            "score": tf.where(candidates > 0, values, UNKNOWN_CANDIDATE),
            **named_probabilities(probabilities, candidates),
        }


def named_probabilities(probabilities: Tensors, items: tf.Tensor) -> Tensors:
    """Returns event probabilities under their output names, 0 where there is no item.

    Args:
        probabilities: float32 `[batch, count]` by event type.
        items: int64 `[batch, count]`.
    """
    names = tensor_names(probabilities, PROBABILITY)
    return {
        names[event]: tf.where(items > 0, values, 0.0) for event, values in probabilities.items()
    }
