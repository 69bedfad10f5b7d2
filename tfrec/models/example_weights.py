"""How much each training example of the retrieval model counts."""

import tensorflow as tf

from tfrec.config import RetrievalConfig
from tfrec.models.event_weights import check_event_weights
from tfrec.towers.spec import DataSpec


class ExampleWeights:
    """Weighs a pair of a query and a true item by its basket and by the type of the event.

    Args:
        config: `basket_discount` and `event_weights`.
        spec: the event types.

    Raises:
        UserError: if a weight is that of no target event.
    """

    def __init__(self, config: RetrievalConfig, spec: DataSpec) -> None:
        self._discount = config.basket_discount
        self._by_event: tf.Tensor | None = None
        check_event_weights(config.event_weights, spec.target_events, "retrieval")
        if config.event_weights:
            weights = [config.event_weights.get(event, 1.0) for event in spec.event_types]
            self._by_event = tf.constant([1.0, *weights])

    def __call__(self, queries: tf.Tensor, events: tf.Tensor) -> tf.Tensor:
        """Returns the weights of pairs, float32 `[num_pairs]`.

        A pair counts by its query's number of targets to the power configured, times the weight
        of its event.

        Args:
            queries: int `[num_pairs]`, the query of each pair, numbered from 0.
            events: int64 `[num_pairs]`, the event type of each target, from 1.
        """
        count = tf.math.unsorted_segment_sum(
            tf.ones_like(queries, tf.float32), queries, tf.reduce_max(queries, keepdims=True)[0] + 1
        )
        weights = tf.pow(tf.gather(count, queries), -self._discount)
        if self._by_event is not None:
            weights *= tf.gather(self._by_event, events)
        return weights
