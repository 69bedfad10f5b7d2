"""The loss of a training with some negatives: draws them, looks for hard ones, and remembers."""

import numpy as np
import tensorflow as tf

from tfrec.config import RetrievalConfig
from tfrec.models.cross_batch_memory import CrossBatchMemory
from tfrec.models.negatives import Candidates, SharedDraws, hard_negatives
from tfrec.models.sampled_softmax import SampledSoftmax


class SampledLoss(tf.Module):
    """The sampled softmax of a configuration, with the negatives it names.

    Args:
        config: negatives, correction and smoothing.
        competing: int64 `[count]`, the items that the softmax is over.
        item_frequency: float `[num_items + 1]`, each item's share of the training targets.

    Attributes:
        memory: the vectors of earlier steps, or `None`.
    """

    def __init__(
        self, config: RetrievalConfig, competing: tf.Tensor, item_frequency: np.ndarray
    ) -> None:
        super().__init__(name="sampled_loss")
        self._config = config
        self._competing = competing
        uniform = config.sampled_negatives if config.negatives == "sampled" else 0
        self._draws = SharedDraws(competing, item_frequency, uniform)
        self._softmax = SampledSoftmax(config.logq_correction, config.label_smoothing)
        self.memory: CrossBatchMemory | None = None
        if config.cross_batch_memory:
            self.memory = CrossBatchMemory(config.cross_batch_memory, config.dimension)

    def draw(self, targets: tf.Tensor) -> tf.Tensor:
        """Returns the items that a batch shares, int64 `[num_drawn]`, its targets first."""
        return self._draws.draw(targets)

    def __call__(
        self,
        queries: tf.Tensor,
        drawn: tf.Tensor,
        vectors: tf.Tensor,
        temperature: float | tf.Tensor,
        *,
        catalogue: tf.Tensor | None = None,
        own: tf.Tensor,
        remember: bool,
    ) -> tf.Tensor:
        """Returns the loss of every query, float32 `[num_queries]`.

        Args:
            queries: float32 `[num_queries, dimension]`.
            drawn: int64 `[num_drawn]`, from `draw`; the first are the true items of the queries.
            vectors: float32 `[num_drawn, dimension]`, of these.
            temperature: divides the scores.
            catalogue: float32 `[num_items + 1, dimension]`, all items, to find as many hard
                negatives in as configured; `None` for no hard negatives.
            own: int64 `[num_queries, length]`, items that are no hard negatives; 0 for none.
            remember: whether the targets become negatives of later steps.
        """
        hard = None
        if catalogue is not None:
            count = self._config.hard_negatives
            hard = hard_negatives(queries, catalogue, self._competing, own, count)
        targets = tf.shape(queries, tf.int64)[0]
        # The true item of an example is drawn with the others', or is there without being drawn.
        count = targets - 1 if self._config.logq_correction == "negatives" else targets
        true = vectors[:targets]
        expected = self._draws.expected(drawn, count)
        candidates = Candidates(drawn, true, vectors, expected)
        if self.memory is not None:
            remembered, their_vectors = self.memory.read()
            items = tf.concat([drawn, remembered], axis=0)
            of_all = self._draws.expected(items, count + self.memory.filled)
            vectors = self.memory.pass_on(vectors, of_all[: tf.size(drawn)] / expected)
            shared = tf.concat([vectors, their_vectors], axis=0)
            candidates = Candidates(items, true, shared, of_all)
            if remember:
                self.memory.write(drawn[:targets], true)
        losses: tf.Tensor = self._softmax(queries, candidates, temperature, hard)
        return losses
