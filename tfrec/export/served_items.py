"""The item table inside an exported model: ids in, indices through the graph, ids out."""

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.index.exact import best_items

ITEM_IDS = "item_ids.txt"


class ServedItems(tf.Module):
    """Turns item ids into item indices and back, and knows what to print of an item.

    The ids are an asset of every SavedModel, one a line; row `r` of the table is item index
    `r + 1`, and index 0 stands for an unknown item.

    Args:
        items: the item table.
        folder: where to write the asset; it must exist until the model is saved.

    Raises:
        UserError: if an item id holds a line break, which no asset of a lookup table can.
    """

    def __init__(self, items: pd.DataFrame, folder: Path) -> None:
        super().__init__(name="items")
        ids = items["item_id"].tolist()
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(_write_ids(ids, folder / ITEM_IDS)),
                key_dtype=tf.string,
                key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                value_dtype=tf.int64,
                value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=-1,
        )
        self._ids = _constant(["", *ids])
        self.titles = _constant(["", *items["title"]])
        self.prices = _constant(np.append(np.nan, items["price"]).astype(np.float32))
        self.available = _constant(np.append(False, items["available"].to_numpy(bool)))
        # Ids that training never met as a target carry no meaning.
        self.trained = _constant(np.append(False, items["train_events"].to_numpy() > 0))

    def indices(self, item_ids: tf.Tensor) -> tf.Tensor:
        """Returns the int64 indices of `item_ids`, of the same shape; 0 for unknown ids and ""."""
        return self._table.lookup(item_ids) + 1

    def ids(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the ids of item `indices`, of the same shape; "" for index 0."""
        return tf.gather(self._ids, indices)

    def best(self, scores: tf.Tensor, k: int) -> dict[str, tf.Tensor]:
        """Returns what a list answers with: ids and scores `[batch, k]` of the best items.

        Args:
            scores: as `best_items` takes them.
            k: how many; "" stands for none where there are fewer.
        """
        values, items = best_items(scores, k)
        return {"item_id": self.ids(items), "score": values}


def _write_ids(ids: list[str], path: Path) -> Path:
    for item_id in ids:
        if "\n" in item_id or "\r" in item_id:
            raise UserError(
                f"the item id {item_id!r} holds a line break, so it cannot be served; give the "
                "item another id and prepare the data set again"
            )
    path.write_bytes("".join(f"{item_id}\n" for item_id in ids).encode())
    return path


def _constant(values: list[str] | np.ndarray) -> tf.Variable:
    # A variable lies beside the graph; a constant would lie in it, where 2 GB are the limit.
    return tf.Variable(values, trainable=False)
