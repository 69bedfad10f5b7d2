"""Requests to loaded signatures, as plain lists."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

Rows = Sequence[Sequence]


def history(
    items: Rows,
    events: Rows | None = None,
    timestamps: Rows | None = None,
    country: Sequence[str] | None = None,
) -> dict[str, tf.Tensor]:
    """Returns the history inputs of a batch; shorter rows are padded on the right."""
    width = max(len(row) for row in items)

    def padded(rows: Rows | None, blank: object, dtype: tf.DType) -> tf.Tensor:
        rows = [[blank] * len(row) for row in items] if rows is None else rows
        full = [[*row, *[blank] * (width - len(row))] for row in rows]
        return tf.reshape(tf.constant(full, dtype), [len(items), width])

    return {
        "history_item_id": padded(items, "", tf.string),
        "history_event": padded(events, "", tf.string),
        "history_timestamp": padded(timestamps, 0, tf.int64),
        "context_country": tf.constant(country or [""] * len(items)),
    }


def exclude(rows: Rows) -> dict[str, tf.Tensor]:
    return {"exclude_item_id": tf.constant(rows)}


def nothing(batch: int) -> dict[str, tf.Tensor]:
    return exclude([[""]] * batch)


def ask(signature: Callable, *inputs: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """Returns the outputs as arrays, strings decoded."""
    merged = {name: value for part in inputs for name, value in part.items()}
    return {name: decoded(value.numpy()) for name, value in signature(**merged).items()}


def decoded(values: np.ndarray) -> np.ndarray:
    return np.char.decode(values.astype(bytes), "utf-8") if values.dtype == object else values
