"""Gives a model with larger tables the weights of a smaller one."""

import numpy as np
import tensorflow as tf

from tfrec.models.retrieval import RetrievalModel


def grow_weights(source: RetrievalModel, target: RetrievalModel) -> None:
    """Copies every weight of `source`; what `target` has more rows for keeps its first values.

    New items, categories and contexts come after the known ones, so the rows of what is known stay
    where they are.

    Args:
        source: the trained model.
        target: a model of the same configuration over a catalogue that has grown.

    Raises:
        ValueError: if a table of `target` is smaller.
    """
    for name, part in source.parts.items():
        for old, new in zip(part.weights, target.parts[name].weights, strict=True):
            new.assign(_grown(old, new))


def start_as_served(source: RetrievalModel, target: RetrievalModel, sold: np.ndarray) -> None:
    """Lets items that are trained for the first time start from where they have been served.

    Until then they borrowed the id offsets of items described alike. Starting from nothing
    instead, a few events would lose what they borrowed before they taught anything.

    Args:
        source: the trained model, over the catalogue of `target`.
        target: the model to train on.
        sold: bool `[num_items + 1]`, items that training sees bought. What it does not goes on
            borrowing.
    """
    starts = np.where(
        (source.id_offsets.learned() | sold)[:, np.newaxis], source.id_offsets.table(), 0.0
    )
    target.item_tower.id_offset.assign(starts)


def _grown(old: tf.Variable, new: tf.Variable) -> tf.Tensor:
    if old.shape == new.shape:
        return tf.convert_to_tensor(old)
    rows = old.shape[0]
    if rows > new.shape[0] or old.shape[1:] != new.shape[1:]:
        raise ValueError(
            f"the table {new.name} should have at least the rows of the one it grows from. "
            f"Received: shapes {new.shape} and {old.shape}"
        )
    return tf.concat([old, new[rows:]], axis=0)
