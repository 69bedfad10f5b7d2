"""The ranking model: a cross network over candidate features, one calibrated head an event."""

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import RankingConfig
from tfrec.models.experts import MixtureOfExperts
from tfrec.models.ranking_features import RETRIEVAL_FEATURES
from tfrec.rerank.value import new_item_factors, task_value


def listwise_softmax(
    y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the mean cross-entropy between lists of labels and the softmax of their logits.

    ListNet's top-one loss (Cao et al., 2007): each list's labels are scaled to sum to 1, and lists
    without a positive label are left out. With inverse propensities as weights it is the loss of
    what shoppers like rather than of what they happened to look at (Ai, Bi, Luo, Guo and Croft,
    "Unbiased learning to rank with unbiased propensity estimation", SIGIR 2018), divided by the
    weights' sum rather than by its expectation (Swaminathan and Joachims, "The self-normalized
    estimator for counterfactual learning", NeurIPS 2015).

    Args:
        y_true: float `[batch, num_candidates]`, 0 or 1.
        y_pred: float `[batch, num_candidates]`, logits.
        sample_weight: float `[batch, num_candidates]`, how much a positive label counts; 0 for
            padding, where no label does.
    """
    weight = tf.ones_like(y_pred) if sample_weight is None else sample_weight
    present = tf.cast(weight > 0, y_pred.dtype)
    logits = tf.where(weight > 0, y_pred, tf.fill(tf.shape(y_pred), -1e9))
    total = tf.reduce_sum(y_true * present, axis=1, keepdims=True)
    share = tf.math.divide_no_nan(y_true * weight, total)
    losses = -tf.reduce_sum(share * tf.nn.log_softmax(logits, axis=1), axis=1)
    return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(share))


def noticed_logits(logits: tf.Tensor, examination: tf.Tensor) -> tf.Tensor:
    """Returns the logit of `examination * sigmoid(logits)`: of a look at an item and a liking.

    A click is likely only where the place is looked at (the position-based model: Craswell et al.,
    WSDM 2008), so that training on this logit leaves `sigmoid(logits)` free of the place.

    Args:
        logits: float `[...]`, of the event on what is looked at.
        examination: float `[...]` in (0, 1], chance that it is looked at; 1 changes nothing.
    """
    return logits + tf.math.log(examination) - tf.nn.softplus(logits + tf.math.log1p(-examination))


class RankingModel(tfrs.models.Model):
    """Scores candidates by the probability of every event of the log.

    The cross layers are those of DCN v2 (Wang et al., 2021). What follows them is one network for
    all events, or a mixture of experts for each (`MixtureOfExperts`). Every event type has a head;
    the head of the return event is conditional on a purchase, so it is trained on bought candidates
    only, and the final score prefers what is bought and kept:
    `score = sum over events of weight * probability * (1 - probability of return)`.

    The heads of target events correct the retrieval model's log probability, and start at zero: an
    untrained model keeps the order of the first stage, and training can only move away from it as
    far as the validation score allows. How much of the correction counts, `trust`, is chosen on
    validation too, and so is `new_item_factor`, by how much the value of items that hardly sold is
    raised to give them a chance.

    Args:
        num_features: size of a candidate's feature vector.
        target_events: names of the event types that count as a hit.
        return_event: name of the return event, or `None`.
        config: sizes of the layers.
        precision: Keras dtype policy of the layers between the features and the logits.

    Call arguments:
        features: float32 `[batch, num_candidates, num_features]`.

    Returns:
        Logits float32 `[batch, num_candidates]` an event type, before calibration.
    """

    def __init__(
        self,
        num_features: int,
        target_events: list[str],
        return_event: str | None,
        config: RankingConfig,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.target_events = list(target_events)
        self.return_event = return_event
        # Always in float32: a feature's mean may be large beside its differences.
        self.normalise = tf.keras.layers.Normalization(axis=-1, name="normalise", dtype="float32")
        self.normalise.build([None, num_features])
        self.cross = [
            tfrs.layers.dcn.Cross(name=f"cross_{index}", dtype=precision)
            for index in range(config.cross_layers)
        ]
        self.hidden = [
            tf.keras.layers.Dense(units, activation="relu", name=f"hidden_{index}", dtype=precision)
            for index, units in enumerate([] if config.experts else config.hidden_units)
        ]
        self.dropout = tf.keras.layers.Dropout(config.dropout, dtype=precision)
        self.experts = (
            MixtureOfExperts(
                config.experts,
                len(self.events),
                config.hidden_units,
                config.dropout,
                name="experts",
                dtype=precision,
            )
            if config.experts
            else None
        )
        # Numbered, as an event's name may hold what TensorFlow allows in no name of a layer.
        self.heads = {
            event: tf.keras.layers.Dense(
                1, name=f"head_{index}", kernel_initializer="zeros", dtype=precision
            )
            for index, event in enumerate(self.events)
        }
        # Platt scaling (Platt, 1999): slope and offset of each head, fitted after training.
        self.calibration = {
            event: tf.Variable([1.0, 0.0], trainable=False, name=f"calibration_{index}")
            for index, event in enumerate(self.events)
        }
        self.trust = tf.Variable(1.0, trainable=False, name="trust")
        self.new_item_factor = tf.Variable(1.0, trainable=False, name="new_item_factor")
        self._event_task = tfrs.tasks.Ranking(
            loss=tf.keras.losses.BinaryCrossentropy(
                from_logits=True, reduction=tf.keras.losses.Reduction.SUM
            )
        )
        self._list_task = tfrs.tasks.Ranking(loss=listwise_softmax)

    @property
    def events(self) -> list[str]:
        """The event types that have a head."""
        return [*self.target_events, *([self.return_event] if self.return_event else [])]

    @property
    def parts(self) -> dict[str, Any]:
        """The parts that hold trained weights, by the names they are saved under."""
        parts = {
            "normalise": self.normalise,
            "cross": self.cross,
            "hidden": self.hidden,
            "experts": self.experts,
            "heads": self.heads,
            "calibration": self.calibration,
            "trust": self.trust,
            "new_item_factor": self.new_item_factor,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def call(self, features: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the logits of every event; see the class docstring for shapes."""
        start = tf.clip_by_value(self.normalise(features), -6.0, 6.0)
        start = tf.cast(start, self.dropout.compute_dtype)
        crossed = start
        for layer in self.cross:
            crossed = layer(start, crossed)
        read = self._what_heads_read(start, crossed, training)
        logits = {
            event: tf.cast(tf.squeeze(head(joined), axis=-1), tf.float32)
            for (event, head), joined in zip(self.heads.items(), read, strict=True)
        }
        first_stage = features[..., RETRIEVAL_FEATURES.index("retrieval_log_probability")]
        trust = 1.0 if training else self.trust
        return {
            event: trust * values + first_stage if event in self.target_events else values
            for event, values in logits.items()
        }

    def _what_heads_read(
        self, start: tf.Tensor, crossed: tf.Tensor, training: bool
    ) -> list[tf.Tensor]:
        """Returns the inputs of every event's head, float `[batch, num_candidates, units]`.

        The normalised features reach the heads directly too, so that with few training lists the
        model falls back to a linear one.
        """
        if self.experts is not None:
            mixtures = self.experts(crossed, start, training=training)
            return [tf.concat([start, mixture], axis=-1) for mixture in mixtures]
        deep = crossed
        for layer in self.hidden:
            deep = self.dropout(layer(deep), training=training)
        return [tf.concat([start, deep], axis=-1)] * len(self.heads)

    def probabilities(self, logits: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the calibrated probability of every event, that of a return given a purchase."""
        return {
            event: tf.sigmoid(values * self.calibration[event][0] + self.calibration[event][1])
            for event, values in logits.items()
        }

    def scores(self, probabilities: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the value `[batch, num_candidates]` of candidates, before `factor_of`."""
        return self.worth(probabilities)

    def worth(
        self,
        probabilities: dict[str, tf.Tensor],
        event_weights: dict[str, float] | None = None,
        return_penalty: float | None = None,
    ) -> tf.Tensor:
        """Returns the value `[batch, num_candidates]` with other weights, before `factor_of`.

        Args:
            probabilities: as `probabilities` returns them.
            event_weights: worth of each target event; `None` for those of the configuration.
            return_penalty: what a return takes away; `None` for that of the configuration.
        """
        return task_value(
            probabilities,
            self.target_events,
            self.config.event_weights if event_weights is None else event_weights,
            self.return_event,
            self.config.return_penalty if return_penalty is None else return_penalty,
        )

    def factor_of(self, sales: tf.Tensor) -> tf.Tensor:
        """Returns what the value of items is multiplied by, float32 of the shape of `sales`.

        It is 1 until `new_item_factor` is fitted; see `new_item_factors`.

        Args:
            sales: float32, counts.
        """
        factors: tf.Tensor = new_item_factors(self.new_item_factor, sales)
        return factors

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the sum of `loss_parts`."""
        return tf.add_n(list(self.loss_parts(inputs, training=training).values()))

    def loss_parts(
        self, inputs: dict[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Returns the lists' and the events' losses, ``list_<event>`` and ``event_<event>``.

        Args:
            inputs: `features` float32 `[batch, num_candidates, num_features]`, `present` float32
                `[batch, num_candidates]` (0 for padding), `label/<event>` float32
                `[batch, num_candidates]` for every event, and where candidates were places of a
                list that a shopper saw, `examination` float32 `[batch, num_candidates]`, the
                chance that the place was looked at.
            training: whether dropout is on.
        """
        logits = self(inputs["features"], training=training)
        present = inputs["present"]
        count = tf.maximum(tf.reduce_sum(present), 1.0)
        bought = tf.zeros_like(present)
        examination = inputs.get("examination", tf.ones_like(present))
        parts = {}
        for event in self.target_events:
            labels = inputs[f"label/{event}"]
            bought = tf.maximum(bought, labels)
            parts[f"list_{event}"] = self._list_task(
                labels, logits[event], sample_weight=present / examination
            )
            if self.config.event_loss:
                noticed = noticed_logits(logits[event], examination)
                loss = self._event_loss(labels, noticed, present) / count
                parts[f"event_{event}"] = self.config.event_loss * loss
        if self.return_event:
            labels = inputs[f"label/{self.return_event}"]
            bought *= present
            returns = self._event_loss(labels, logits[self.return_event], bought)
            parts[f"event_{self.return_event}"] = tf.math.divide_no_nan(
                returns, tf.reduce_sum(bought)
            )
        return parts

    def _event_loss(self, labels: tf.Tensor, logits: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        return self._event_task(
            tf.reshape(labels, [-1, 1]),
            tf.reshape(logits, [-1, 1]),
            sample_weight=tf.reshape(weight, [-1]),
        )
