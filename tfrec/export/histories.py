"""Histories as clients send them, turned into the histories that the models read."""

import tensorflow as tf

from tfrec.data.records import CONTEXT_PREFIX
from tfrec.data.tensor_names import CONTEXT, tensor_names
from tfrec.export.served_items import ServedItems
from tfrec.towers.histories import History
from tfrec.towers.spec import DataSpec

ROWS_OF_TEXT = tf.TensorSpec([None, None], tf.string)
TEXTS = tf.TensorSpec([None], tf.string)


class HistoryReader(tf.Module):
    """Reads the history inputs of a signature.

    Unknown item ids and "" are skipped wherever they stand. An event name that the model does not
    know, "" included, counts as its first target event, so that a client may send ids alone.

    Args:
        items: the item table.
        spec: event types and context vocabularies of the model.
    """

    def __init__(self, items: ServedItems, spec: DataSpec) -> None:
        super().__init__(name="histories")
        self._items = items
        self._events = _index_table(spec.event_types, spec.target_event_indices[0])
        self._context_inputs = tensor_names(spec.contexts, CONTEXT)
        self._contexts = {column: _index_table(names) for column, names in spec.contexts.items()}

    @property
    def inputs(self) -> dict[str, tf.TensorSpec]:
        """The inputs that `read` takes: histories `[batch, length]`, context values `[batch]`."""
        return {
            "history_item_id": ROWS_OF_TEXT,
            "history_event": ROWS_OF_TEXT,
            "history_timestamp": tf.TensorSpec([None, None], tf.int64),
            **dict.fromkeys(self._context_inputs.values(), TEXTS),
        }

    def read(self, inputs: dict[str, tf.Tensor]) -> History:
        """Returns the known events, oldest first, as wide as the longest of them (at least 1)."""
        # One more column, so that there is one even where every history is empty.
        one_more = [[0, 0], [0, 1]]
        items = tf.pad(self._items.indices(inputs["history_item_id"]), one_more)
        events = tf.pad(self._events.lookup(inputs["history_event"]), one_more)
        timestamps = tf.pad(inputs["history_timestamp"], one_more)
        length = tf.math.count_nonzero(items, axis=1)
        width = tf.maximum(tf.reduce_max(length), 1)
        order = tf.argsort(tf.cast(items == 0, tf.int32), axis=1, stable=True)[:, :width]
        inside = tf.range(width) < length[:, tf.newaxis]
        history = {
            name: tf.where(inside, tf.gather(values, order, batch_dims=1), 0)
            for name, values in (("item", items), ("event", events), ("timestamp", timestamps))
        }
        for column, name in self._context_inputs.items():
            value = self._contexts[column].lookup(inputs[name])[:, tf.newaxis]
            history[f"{CONTEXT_PREFIX}{column}"] = tf.repeat(value, width, axis=1)
        return history | {"length": length}


def _index_table(names: list[str], default: int = 0) -> tf.lookup.StaticHashTable:
    """Returns a table from names to their positions, from 1."""
    # A table cannot be made of nothing; no client can send the name that stands in.
    keys = tf.constant(names or ["\x00"])
    values = tf.range(1, len(keys) + 1, dtype=tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)
