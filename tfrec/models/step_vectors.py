"""The item vectors that one step of a training with some negatives needs, each computed once."""

from typing import NamedTuple

import tensorflow as tf

from tfrec.models.examples import items_of
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.item import ItemTower


class StepVectors(NamedTuple):
    """A table of vectors, and where in it items are.

    Attributes:
        table: float `[count, dimension]`.
        history: int64 `[batch, length]`, rows of the items of the histories.
        drawn: int `[num_drawn]`, rows of the items drawn.
    """

    table: tf.Tensor
    history: tf.Tensor
    drawn: tf.Tensor

    @classmethod
    def of(
        cls,
        tower: ItemTower,
        catalogue: Catalogue,
        inputs: dict[str, tf.Tensor],
        drawn: tf.Tensor,
        *,
        whole: bool,
        training: bool,
    ) -> "StepVectors":
        """Computes the vectors.

        Args:
            tower: makes them.
            catalogue: the items' features.
            inputs: the batch, whose histories are read.
            drawn: int64 `[num_drawn]`, items that its queries are scored with.
            whole: whether the table is that of all items in their order, to be searched.
            training: whether dropout is on.
        """
        if whole:
            features = catalogue.all_features(items_of(inputs))
            return cls(tower(features, training=training), inputs["item"], drawn)
        history_size = tf.size(inputs["item"])
        used, row = tf.unique(tf.concat([tf.reshape(inputs["item"], [-1]), drawn], axis=0))
        features = catalogue.features(used, encode_ids=items_of(inputs))
        history = tf.reshape(row[:history_size], tf.shape(inputs["item"]))
        return cls(tower(features, training=training), history, row[history_size:])
