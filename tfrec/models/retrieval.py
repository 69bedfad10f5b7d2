"""The retrieval model: behaviour and items in one space, trained by a softmax over items."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import RetrievalConfig
from tfrec.models.losses import CatalogueSoftmax
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.item import ItemTower
from tfrec.towers.query import QueryTower
from tfrec.towers.repeats import RepeatBonus
from tfrec.towers.spec import DataSpec


class RetrievalModel(tfrs.models.Model):
    """Two towers and a softmax: every position of every history is a training example.

    Args:
        catalogue: features of all items.
        spec: sizes and vocabularies of the data that the model is, or was, trained on.
        config: sizes, loss and negatives.
        item_frequency: float `[num_items + 1]`, share of each item among the training targets;
            the sampling probability that the logQ correction needs. Only for training.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        spec: DataSpec,
        config: RetrievalConfig,
        item_frequency: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.spec = spec
        self.catalogue = catalogue
        self.item_tower = ItemTower(
            dimension=config.dimension,
            num_ids=spec.num_ids,
            text_dimension=spec.text_dimension,
            category_sizes={column: len(names) for column, names in spec.categories.items()},
            use_price=spec.use_price,
            image_dimension=spec.image_dimension,
            id_dropout=config.id_dropout,
            name="item_tower",
        )
        self.query_tower = QueryTower(
            config.dimension,
            len(spec.event_types),
            context_sizes=spec.context_sizes,
            units=config.lstm_units,
            layers=config.lstm_layers,
            dropout=config.dropout,
            averages=config.history_averages,
            name="query_tower",
        )
        self.repeat_bonus = RepeatBonus(name="repeat_bonus") if config.repeat_bonus else None
        self._item_frequency = (
            None if item_frequency is None else tf.constant(item_frequency, tf.float32)
        )
        self._catalogue_task = CatalogueSoftmax(config.temperature)
        self._sampled_task = tfrs.tasks.Retrieval(
            temperature=config.temperature, remove_accidental_hits=True
        )

    @property
    def parts(self) -> dict[str, Any]:
        """The parts that hold trained weights, by the names they are saved under."""
        parts = {
            "item_tower": self.item_tower,
            "query_tower": self.query_tower,
            "repeat_bonus": self.repeat_bonus,
            "text_encoder": self.catalogue.text_encoder,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def build_weights(self) -> None:
        """Creates every variable, so that weights can be restored before the first call."""
        one = tf.ones([1, 1], tf.int64)
        inputs = {"item": one, "event": one, "timestamp": one}
        inputs |= {f"context/{column}": one for column in self.spec.contexts}
        self.query_vectors(inputs, self.item_vectors())
        if self.repeat_bonus is not None:
            self.repeat_bonus(one, one[0], 2)

    def item_vectors(self, training: bool = False) -> tf.Tensor:
        """Returns the unit vectors of all items: `[num_items + 1, dimension]`, row 0 unused."""
        return self.item_tower(self.catalogue.all_features(), training=training)

    def query_vectors(
        self, inputs: dict[str, tf.Tensor], item_vectors: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Returns a unit vector for every state of every history.

        Args:
            inputs: `item`, `event`, `timestamp` int64 `[batch, length]`, padded with 0 on the
                right, and `context/<column>` int64 `[batch, length]`.
            item_vectors: float `[num_items + 1, dimension]`.
            training: whether dropout is on.

        Returns:
            float `[batch, length + 1, dimension]`; state `i` has seen the first `i` events.
        """
        context = {
            column: _context_of_states(inputs[f"context/{column}"])
            for column in self.query_tower.context_sizes
        }
        return self.query_tower(
            tf.gather(item_vectors, inputs["item"]),
            inputs["event"],
            inputs["timestamp"],
            context,
            training=training,
        )

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the mean cross-entropy of the batch's examples.

        Args:
            inputs: a batch of `tfrec.data.input.training_batches`.
            training: whether dropout is on.
        """
        present = inputs["target"] > 0
        labels = tf.boolean_mask(inputs["target"], present)
        if self.config.negatives == "full":
            items = self.item_tower(
                self.catalogue.all_features(_items_of(inputs)), training=training
            )
            queries = self._queries(inputs, items, present, training)
            bonus = None
            if self.repeat_bonus is not None:
                place = tf.where(present)
                bonus = self.repeat_bonus(
                    tf.gather(inputs["item"], place[:, 0]), place[:, 1], len(items)
                )[:, 1:]
            loss = self._catalogue_task(queries, items[1:], labels - 1, bonus)
        else:
            loss = self._sampled_loss(inputs, present, labels, training)
        return loss / tf.cast(tf.maximum(tf.size(labels), 1), tf.float32)

    def _queries(
        self, inputs: dict[str, tf.Tensor], items: tf.Tensor, present: tf.Tensor, training: bool
    ) -> tf.Tensor:
        states = self.query_vectors(inputs, items, training=training)
        return tf.boolean_mask(states[:, :-1], present)

    def _sampled_loss(
        self,
        inputs: dict[str, tf.Tensor],
        present: tf.Tensor,
        labels: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        num_items = self.catalogue.num_items
        candidates = labels
        count = tf.cast(tf.size(labels), tf.float32)
        expected = tf.gather(self._item_frequency, labels)
        if self.config.negatives == "sampled":
            extra = tf.random.uniform(
                [self.config.sampled_negatives], 1, num_items + 1, dtype=labels.dtype
            )
            candidates = tf.concat([labels, extra], axis=0)
            # An item is expected count * frequency times among the positives and
            # sampled_negatives / num_items times among the uniform draws.
            uniform = self.config.sampled_negatives / num_items
            total = count + self.config.sampled_negatives
            in_batch = tf.gather(self._item_frequency, candidates) * count
            expected = (in_batch + uniform) / total
        # Each distinct item of the batch passes through its tower once.
        used, position = tf.unique(
            tf.concat([tf.reshape(inputs["item"], [-1]), candidates, [0]], axis=0)
        )
        vectors = self.item_tower(
            self.catalogue.features(used, encode_ids=_items_of(inputs)), training=training
        )
        shape = tf.shape(inputs["item"])
        places = dict(inputs)
        places["item"] = tf.reshape(position[: tf.size(inputs["item"])], shape)
        queries = self._queries(places, vectors, present, training)
        candidate_rows = position[tf.size(inputs["item"]) : -1]
        return self._sampled_task(
            queries,
            tf.gather(vectors, candidate_rows),
            candidate_sampling_probability=expected if self.config.logq_correction else None,
            candidate_ids=candidates,
            compute_metrics=False,
        )


def _items_of(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(inputs["item"], [-1]), tf.reshape(inputs["target"], [-1])], axis=0)


def _context_of_states(values: tf.Tensor) -> tf.Tensor:
    """Context of state `i` is that of event `i - 1`, and state 0's that of the first event."""
    return tf.concat([values[:, :1], values], axis=1)
