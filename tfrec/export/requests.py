"""Requests for recommendations, as the retrieval model and the recommender read them."""

import tensorflow as tf

from tfrec.export.histories import ROWS_OF_TEXT, HistoryReader
from tfrec.export.served_items import ServedItems
from tfrec.towers.histories import History

EXCLUDED = "exclude_item_id"
NOW = "now"
TIMES = tf.TensorSpec([None], tf.int64)
"""Of the input `NOW`: unix seconds, 0 for the time of the last event."""


class RequestReader:
    """Reads a history and what must not be shown for it.

    Args:
        items: the item table.
        histories: reads histories.
        hide_history: whether items of the history are never recommended.
    """

    def __init__(self, items: ServedItems, histories: HistoryReader, hide_history: bool) -> None:
        self._items = items
        self._histories = histories
        self._hide_history = hide_history

    @property
    def inputs(self) -> dict[str, tf.TensorSpec]:
        """The inputs that `read` takes: those of a history, and exclusions `[batch, count]`."""
        return {**self._histories.inputs, EXCLUDED: ROWS_OF_TEXT}

    def read(self, inputs: dict[str, tf.Tensor]) -> tuple[History, tf.Tensor]:
        """Returns the history, and the items to hide: int64 `[batch, count]`, 0 for none."""
        history = self._histories.read(inputs)
        hidden = self._items.indices(inputs[EXCLUDED])
        if self._hide_history:
            hidden = tf.concat([hidden, history["item"]], axis=1)
        return history, hidden
