"""The retrieval model: behaviour and items in one space, trained by a softmax over items."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import RetrievalConfig
from tfrec.data.cooccurrence import (
    ItemKNNSettings,
    common_shoppers,
    history_matrix,
    item_similarity,
)
from tfrec.data.item_counts import log_counts
from tfrec.data.records import Histories
from tfrec.models.example_weights import ExampleWeights
from tfrec.models.losses import CatalogueSoftmax
from tfrec.models.sampled_loss import SampledLoss
from tfrec.models.temperature import LearnedTemperature
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.item import ItemTower
from tfrec.towers.memory import CooccurrenceMemory
from tfrec.towers.placement import Placement
from tfrec.towers.query import QueryTower
from tfrec.towers.repeats import RepeatBonus
from tfrec.towers.spec import DataSpec
from tfrec.towers.stand_ins import StandIns
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
        # Ids and categories are names that one shop gave, so that no other knows them.
        own_categories = {} if config.content_only else spec.categories
        self.item_tower = ItemTower(
            dimension=config.dimension,
            num_ids=0 if config.content_only else spec.num_ids,
            text_dimension=spec.text_dimension,
            category_sizes={column: len(names) for column, names in own_categories.items()},
            use_price=spec.use_price,
            vector_sizes=spec.vector_sizes,
            id_dropout=config.id_dropout,
            vector_dropout=config.vector_dropout,
            fusion=config.text_fusion,
            name="item_tower",
            dtype=precision,
        )
        self.query_tower = QueryTower(
            config.dimension,
            len(spec.event_types),
            context_sizes=spec.context_sizes,
            units=config.lstm_units,
            layers=config.lstm_layers,
            dropout=config.dropout,
            averages=config.history_averages,
            layer_norm=config.lstm_layer_norm,
            first_residual=config.lstm_first_residual,
            attention_heads=config.state_attention,
            time_gaps=config.time_gaps,
            event_features=config.event_features,
            name="query_tower",
            dtype=precision,
        )
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
        self.neighbourhood = ItemKNNSettings()
        self.learned_temperature = (
            LearnedTemperature(config.temperature, name="temperature")
            if config.learned_temperature
            else None
        )
        self._example_weights = ExampleWeights(config, spec)
        self._candidates = self._items_that_compete(item_frequency)
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
        """Counts the memory and the trend anew.

        Both hold what the log says and nothing that was trained, so that a model can know
        yesterday's sales without training.

        Args:
            log: every shopper's events up to now.
        """
        width, events = self.spec.num_ids + 1, self.spec.target_event_indices
        if self.memory is not None:
            settings = self.neighbourhood
            common = common_shoppers(
                history_matrix(log, width, events=events),
                length_exponent=settings.length_exponent,
            )
            self.memory.fill(item_similarity(common, settings), settings.decay)
        if self.trend is not None:
            sales = log_counts(log, width, events, self.trend_windows)
            never = np.flatnonzero((sales[1:, -1] == 0) & ~self.learned()[1:width]) + 1
            # To have sold nothing is no failure of what could not be bought.
            if self.config.stand_ins and len(never):
                stand_ins = StandIns.of(self._described_vectors()[:width], never)
                sales[stand_ins.items] = stand_ins.mean(sales)
            self.trend.fill(sales)

    def item_vectors(self) -> tf.Tensor:
        """Returns the unit vectors of all items: `[num_items + 1, dimension]`, row 0 unused.

        The id offset of an item that has learned none is the mean of its stand-ins'.
        """
        return self.item_tower(self.catalogue.all_features(), offsets=tf.constant(self.offsets()))

    def offsets(self) -> np.ndarray:
        """Returns the id offsets of all items: float32 `[num_items + 1, dimension]`, row 0 zero.

        Those of items that have learned none are the means of their stand-ins', or zero without
        stand-ins.
        """
        offsets = self._own_offsets()
        new = np.flatnonzero(~self.learned()[1:]) + 1
        if self.config.stand_ins and len(new) not in (0, self.catalogue.num_items):
            stand_ins = StandIns.of(self._described_vectors(), new)
            offsets[stand_ins.items] = stand_ins.mean(offsets)
        return offsets

    def placement(self) -> Placement | None:
        """Returns what places products outside the catalogue; None if nobody can stand in."""
        learned = self.learned()
        if not self.config.stand_ins or not learned[1:].any():
            return None
        learned[0] = False
        return Placement(self._described_vectors(), self._own_offsets(), learned)

    def learned(self) -> np.ndarray:
        """Returns bool `[num_items + 1]`: items with an id offset that training has moved."""
        moved = self.item_tower.id_offset.numpy().any(axis=1)
        return np.pad(moved, (0, self.catalogue.num_items + 1 - len(moved)))

    def _own_offsets(self) -> np.ndarray:
        """Returns what `offsets` does, with zero for all items but those with an id."""
        offsets = np.zeros((self.catalogue.num_items + 1, self.config.dimension), np.float32)
        own = self.item_tower.id_offset.numpy()
        offsets[: len(own)] = own
        offsets[0] = 0.0
        return offsets

    def _described_vectors(self) -> np.ndarray:
        """Returns unit vectors of all items as if no id had learned anything."""
        features = {**self.catalogue.all_features()}
        features["id"] = tf.zeros_like(features["id"])
        vectors: np.ndarray = tf.cast(self.item_tower(features), tf.float32).numpy()
        return vectors

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
        pairs = tf.where(inputs["target"] > 0)
        labels = tf.gather_nd(inputs["target"], pairs)
        positions = tf.shape(inputs["item"], tf.int64)[1] + 1
        asked, query = tf.unique(pairs[:, 0] * positions + tf.gather_nd(inputs["state"], pairs))
        rows, seen = asked // positions, asked % positions
        events = inputs.get("target_event", inputs["event"])
        weights = self._example_weights(query, tf.gather_nd(events, pairs))
        if self._sampled_loss is None:
            items = self.item_tower(
                self.catalogue.all_features(_items_of(inputs)), training=training
            )
            states = self.query_vectors(inputs, items, training=training)
            losses = self._catalogue_task(
                tf.gather_nd(states, tf.stack([rows, seen], axis=1)),
                tf.gather(items, self._candidates),
                query,
                tf.searchsorted(self._candidates, labels, out_type=labels.dtype),
                self.temperature,
                self._bonus(inputs, rows, seen),
            )
        else:
            places = tf.gather(tf.stack([rows, seen], axis=1), query)
            losses = self._sampled_losses(self._sampled_loss, inputs, places, labels, training)
        return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))

    def _items_that_compete(self, item_frequency: np.ndarray | None) -> tf.Tensor:
        """Returns int64 `[count]`, sorted: the items that the softmax of the training is over.

        That nobody chose what could not yet be bought says nothing of it. As a negative example
        of every shopper, a new item would be pushed away from all of them, by its id and, worse,
        by what its text has in common with other new ones.
        """
        items = np.arange(1, self.catalogue.num_items + 1)
        if item_frequency is not None and not self.config.unsold_negatives:
            items = items[item_frequency[1:] > 0]
        return tf.constant(items, tf.int64)

    def _bonus(
        self, inputs: dict[str, tf.Tensor], rows: tf.Tensor, seen: tf.Tensor
    ) -> tf.Tensor | None:
        if self.repeat_bonus is None:
            return None
        bonus = self.repeat_bonus(
            tf.gather(inputs["item"], rows),
            tf.gather(inputs["timestamp"], rows),
            seen,
            self.catalogue.num_items + 1,
        )
        return tf.gather(bonus, self._candidates, axis=1)

    def _sampled_losses(
        self,
        loss: SampledLoss,
        inputs: dict[str, tf.Tensor],
        places: tf.Tensor,
        labels: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Returns the loss of every pair, float32 `[num_pairs]`.

        Args:
            loss: takes the vectors.
            inputs: the batch.
            places: int64 `[num_pairs, 2]`, row and state of the query of each pair.
            labels: int64 `[num_pairs]`, its true item.
            training: whether dropout is on, and the batch is remembered.
        """
        drawn = loss.draw(labels)
        history, vectors, rows = self._vectors_of(inputs, drawn, training)
        states = self.query_vectors({**inputs, "item": history}, vectors, training=training)
        vectors = tf.cast(vectors, tf.float32)
        had = tf.concat([inputs["item"], inputs["target"]], axis=1)
        return loss(
            tf.cast(tf.gather_nd(states, places), tf.float32),
            drawn,
            tf.gather(vectors, rows),
            self.temperature,
            catalogue=vectors if self.config.hard_negatives else None,
            own=tf.gather(had, places[:, 0]),
            remember=training,
        )

    def _vectors_of(
        self, inputs: dict[str, tf.Tensor], drawn: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the vectors that a step needs, each computed once.

        Returns:
            int64 `[batch, length]`, the histories as rows of the vectors; the vectors
            `[count, dimension]`, those of all items in their order where the catalogue is searched;
            and int `[num_drawn]`, the rows of `drawn`.
        """
        if self.config.hard_negatives:
            features = self.catalogue.all_features(_items_of(inputs))
            return inputs["item"], self.item_tower(features, training=training), drawn
        history_size = tf.size(inputs["item"])
        used, row = tf.unique(tf.concat([tf.reshape(inputs["item"], [-1]), drawn], axis=0))
        features = self.catalogue.features(used, encode_ids=_items_of(inputs))
        history = tf.reshape(row[:history_size], tf.shape(inputs["item"]))
        return history, self.item_tower(features, training=training), row[history_size:]


def _items_of(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(inputs["item"], [-1]), tf.reshape(inputs["target"], [-1])], axis=0)


def _context_of_states(values: tf.Tensor) -> tf.Tensor:
    """Context of state `i` is that of event `i - 1`, and state 0's that of the first event."""
    return tf.concat([values[:, :1], values], axis=1)
