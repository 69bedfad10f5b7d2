"""The retrieval model: behaviour and items in one space, trained by a softmax over items."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import RetrievalConfig
from tfrec.data.cooccurrence import ItemKNNSettings, similarity_in_log
from tfrec.data.item_counts import item_counts, log_counts
from tfrec.data.records import Histories
from tfrec.models.example_weights import ExampleWeights
from tfrec.models.examples import Examples, items_of
from tfrec.models.losses import CatalogueSoftmax
from tfrec.models.negatives import competing_items
from tfrec.models.retrieval_towers import item_tower_of, query_tower_of
from tfrec.models.sampled_loss import SampledLoss
from tfrec.models.step_vectors import StepVectors
from tfrec.models.temperature import LearnedTemperature
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.cold_start import ColdStart
from tfrec.towers.id_offsets import IdOffsets
from tfrec.towers.memory import CooccurrenceMemory
from tfrec.towers.repeats import RepeatBonus
from tfrec.towers.spec import DataSpec
from tfrec.towers.trend import PopularityTrend


class RetrievalModel(tfrs.models.Model):
    """Two towers and a softmax: every position of every history is a training example.

    Args:
        catalogue: features of all items.
        spec: sizes and vocabularies of the data that the model is, or was, trained on.
        config: sizes, loss and negatives.
        item_frequency: float `[num_items + 1]`, share of each item among the training targets;
            what sampled negatives are drawn by. Only for training; without it the loss is over
            all items.
        precision: Keras dtype policy of the towers.

    Attributes:
        id_offsets: the id offsets of all items, and what new items are lent.
        neighbourhood: the settings that the memory is counted with.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        spec: DataSpec,
        config: RetrievalConfig,
        item_frequency: np.ndarray | None = None,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.spec = spec
        self.catalogue = catalogue
        self.item_tower = item_tower_of(spec, config, precision)
        self.query_tower = query_tower_of(spec, config, precision)
        self.id_offsets = IdOffsets(self.item_tower, catalogue, config.stand_ins)
        self.repeat_bonus = (
            RepeatBonus(spec.num_ids, name="repeat_bonus") if config.repeat_bonus else None
        )
        self.memory = (
            CooccurrenceMemory(spec.num_ids, config.memory_neighbours, name="memory")
            if config.memory_neighbours
            else None
        )
        self.trend = (
            PopularityTrend(spec.num_ids, len(self.trend_windows), name="trend")
            if config.trend_days
            else None
        )
        self.cold_start = ColdStart(spec.num_ids, name="cold_start") if config.cold_start else None
        self.neighbourhood = ItemKNNSettings()
        self.learned_temperature = (
            LearnedTemperature(config.temperature, name="temperature")
            if config.learned_temperature
            else None
        )
        self._example_weights = ExampleWeights(config, spec)
        self._candidates = competing_items(
            catalogue.num_items, item_frequency, config.unsold_negatives
        )
        self._catalogue_task = CatalogueSoftmax(config.label_smoothing)
        self._sampled_loss: SampledLoss | None = None
        if config.negatives != "full" and item_frequency is not None:
            self._sampled_loss = SampledLoss(config, self._candidates, item_frequency)

    @property
    def trend_windows(self) -> list[int | None]:
        """The windows of `trend` in days; None is the whole log."""
        return [*self.config.trend_days, None]

    @property
    def temperature(self) -> float | tf.Tensor:
        """The temperature of the softmax that the scores are logits of."""
        if self.learned_temperature is None:
            return self.config.temperature
        return self.learned_temperature.value

    @property
    def parts(self) -> dict[str, Any]:
        """The parts that hold trained weights, by the names they are saved under."""
        parts = {
            "item_tower": self.item_tower,
            "query_tower": self.query_tower,
            "repeat_bonus": self.repeat_bonus,
            "memory": self.memory,
            "trend": self.trend,
            "cold_start": self.cold_start,
            "temperature": self.learned_temperature,
            "text_encoder": self.catalogue.text_encoder,
        }
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def training_state(self) -> dict[str, Any]:
        """What a training goes on from beside the parts, by name; no trained model has it."""
        memory = None if self._sampled_loss is None else self._sampled_loss.memory
        return {} if memory is None else {"cross_batch_memory": memory}

    def build_weights(self) -> None:
        """Creates every variable, so that weights can be restored before the first call."""
        one = tf.ones([1, 1], tf.int64)
        inputs = {"item": one, "event": one, "timestamp": one}
        inputs |= {f"context/{column}": one for column in self.spec.contexts}
        self.query_vectors(inputs, self.item_vectors())
        if self.repeat_bonus is not None:
            self.repeat_bonus(one, one, one[0], self.catalogue.num_items + 1)

    def count(self, log: Histories) -> None:
        """Counts the memory, the trend and the sales that tell new items anew.

        They hold what the log says and nothing that was trained, so that a model can know
        yesterday's sales without training.

        Args:
            log: every shopper's events up to now.
        """
        width, events = self.spec.num_ids + 1, self.spec.target_event_indices
        if self.memory is not None:
            similarity = similarity_in_log(log, width, self.neighbourhood, events)
            self.memory.fill(similarity, self.neighbourhood.decay)
        if self.trend is not None:
            sales = log_counts(log, width, events, self.trend_windows)
            # To have sold nothing is no failure of what could not be bought.
            never = (sales[:, -1] == 0) & ~self.id_offsets.learned()[:width]
            self.trend.fill(self.id_offsets.lend(sales, never))
        if self.cold_start is not None:
            self.cold_start.fill(item_counts(log, width, events))

    def item_vectors(self) -> tf.Tensor:
        """Returns the unit vectors of all items: `[num_items + 1, dimension]`, row 0 unused.

        The id offset of an item that has learned none is the mean of its stand-ins'.
        """
        offsets = tf.constant(self.id_offsets.table())
        return self.item_tower(self.catalogue.all_features(), offsets=offsets)

    def query_vectors(
        self,
        inputs: dict[str, tf.Tensor],
        item_vectors: tf.Tensor,
        asked: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns a unit vector for every state of every history.

        Args:
            inputs: `item`, `event`, `timestamp` int64 `[batch, length]`, padded with 0 on the
                right, and `context/<column>` int64 `[batch, length]`.
            item_vectors: float `[num_items + 1, dimension]`.
            asked: int64 `[batch, count]`, the states wanted; `None` for all.
            training: whether dropout is on.

        Returns:
            float `[batch, length + 1, dimension]`; state `i` has seen the first `i` events. Or
            `[batch, count, dimension]` of those asked for.
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
            asked,
            training=training,
        )

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the mean cross-entropy of the batch's examples.

        Args:
            inputs: a batch of `tfrec.data.input.training_batches`.
            training: whether dropout is on.
        """
        examples = Examples.of(inputs)
        weights = self._example_weights(examples.query, examples.events)
        if self._sampled_loss is None:
            losses = self._catalogue_losses(inputs, examples, training)
        else:
            losses = self._sampled_losses(self._sampled_loss, inputs, examples, training)
        return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))

    def _catalogue_losses(
        self, inputs: dict[str, tf.Tensor], examples: Examples, training: bool
    ) -> tf.Tensor:
        """Returns the loss of every pair over all that competes, float32 `[num_pairs]`."""
        features = self.catalogue.all_features(items_of(inputs))
        items = self.item_tower(features, training=training)
        states = self.query_vectors(inputs, items, training=training)
        return self._catalogue_task(
            tf.gather_nd(states, examples.states),
            tf.gather(items, self._candidates),
            examples.query,
            tf.searchsorted(self._candidates, examples.labels, out_type=examples.labels.dtype),
            self.temperature,
            self._bonus(inputs, examples),
        )

    def _bonus(self, inputs: dict[str, tf.Tensor], examples: Examples) -> tf.Tensor | None:
        if self.repeat_bonus is None:
            return None
        bonus = self.repeat_bonus(
            tf.gather(inputs["item"], examples.rows),
            tf.gather(inputs["timestamp"], examples.rows),
            examples.seen,
            self.catalogue.num_items + 1,
        )
        return tf.gather(bonus, self._candidates, axis=1)

    def _sampled_losses(
        self, loss: SampledLoss, inputs: dict[str, tf.Tensor], examples: Examples, training: bool
    ) -> tf.Tensor:
        """Returns the loss of every pair over some negatives, float32 `[num_pairs]`."""
        places = tf.gather(examples.states, examples.query)
        drawn = loss.draw(examples.labels)
        whole = self.config.hard_negatives > 0
        step = StepVectors.of(
            self.item_tower, self.catalogue, inputs, drawn, whole=whole, training=training
        )
        states = self.query_vectors({**inputs, "item": step.history}, step.table, training=training)
        vectors = tf.cast(step.table, tf.float32)
        had = tf.concat([inputs["item"], inputs["target"]], axis=1)
        return loss(
            tf.cast(tf.gather_nd(states, places), tf.float32),
            drawn,
            tf.gather(vectors, step.drawn),
            self.temperature,
            catalogue=vectors if whole else None,
            own=tf.gather(had, places[:, 0]),
            remember=training,
        )


def _context_of_states(values: tf.Tensor) -> tf.Tensor:
    """Context of state `i` is that of event `i - 1`, and state 0's that of the first event."""
    return tf.concat([values[:, :1], values], axis=1)
