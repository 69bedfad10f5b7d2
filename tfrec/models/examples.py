"""The training examples of a batch of histories: states, and the items that came after them."""

from typing import NamedTuple

import tensorflow as tf


class Examples(NamedTuple):
    """Pairs of a query and a true item. A query is a state of a history; it may have several.

    Attributes:
        labels: int64 `[num_pairs]`, the true items.
        query: int32 `[num_pairs]`, the query of each pair, numbered from 0.
        rows: int64 `[num_queries]`, the history of each query.
        seen: int64 `[num_queries]`, how many of its events the query has seen.
        events: int64 `[num_pairs]`, the event type of each true item, from 1.
    """

    labels: tf.Tensor
    query: tf.Tensor
    rows: tf.Tensor
    seen: tf.Tensor
    events: tf.Tensor

    @classmethod
    def of(cls, inputs: dict[str, tf.Tensor]) -> "Examples":
        """Finds them in a batch of `tfrec.data.input.training_batches`."""
        pairs = tf.where(inputs["target"] > 0)
        labels = tf.gather_nd(inputs["target"], pairs)
        positions = tf.shape(inputs["item"], tf.int64)[1] + 1
        asked, query = tf.unique(pairs[:, 0] * positions + tf.gather_nd(inputs["state"], pairs))
        rows, seen = asked // positions, asked % positions
        events = tf.gather_nd(inputs.get("target_event", inputs["event"]), pairs)
        return cls(labels, query, rows, seen, events)

    @property
    def states(self) -> tf.Tensor:
        """Row and state of every query, int64 `[num_queries, 2]`."""
        return tf.stack([self.rows, self.seen], axis=1)


def items_of(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Returns all items of a batch, of histories and targets: int64 `[count]`, 0 for padding."""
    return tf.concat([tf.reshape(inputs["item"], [-1]), tf.reshape(inputs["target"], [-1])], axis=0)
