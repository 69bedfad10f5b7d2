"""The query tower: behaviour and context become one unit vector in the items' space."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfrec.towers.behaviour import BehaviourTower


@tf.keras.utils.register_keras_serializable(package="tfrec")
class QueryTower(tf.keras.layers.Layer):
    """Adds context embeddings to the behaviour tower's states and normalises the sum.

    Args:
        dimension: size of the query vector.
        num_events: number of event types.
        context_sizes: vocabulary size, index 0 for unknown included, of each context column.
        units: width of the LSTM.
        layers: number of stacked LSTMs.
        dropout: dropout rate of the behaviour tower.
        averages: decay factors of the behaviour tower's moving averages.
        layer_norm: whether what each LSTM reads is normalised.
        first_residual: whether the first LSTM has a residual connection, too.
        attention_heads: heads of the attention over the LSTM's states; 0 for no attention.
        time_gaps: whether the LSTM reads the time since the event before.
        event_features: whether it reads the event types.

    Call arguments:
        item_vectors: float `[batch, length, dimension]`.
        events: int `[batch, length]`, event types from 1; 0 pads.
        timestamps: int64 `[batch, length]`, unix seconds; 0 for unknown.
        context: int `[batch, length + 1]` a context column: the value known when state `i` asks.
        asked: int `[batch, count]`, the states wanted, in `[0, length]`; `None` for all.

    Returns:
        float `[batch, length + 1, dimension]`, of Euclidean norm 1; position `i` has seen the
        first `i` events. Or `[batch, count, dimension]` of those asked for.
    """

    def __init__(
        self,
        dimension: int,
        num_events: int,
        context_sizes: dict[str, int] | None = None,
        units: int = 256,
        layers: int = 1,
        dropout: float = 0.3,
        averages: Sequence[float] = (),
        layer_norm: bool = False,
        first_residual: bool = False,
        attention_heads: int = 0,
        time_gaps: bool = True,
        event_features: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dimension = dimension
        self.context_sizes = dict(context_sizes or {})
        self.behaviour = BehaviourTower(
            dimension,
            num_events,
            units=units,
            layers=layers,
            dropout=dropout,
            averages=averages,
            layer_norm=layer_norm,
            first_residual=first_residual,
            attention_heads=attention_heads,
            time_gaps=time_gaps,
            event_features=event_features,
            name="behaviour",
            dtype=self.dtype_policy,
        )
        # Numbered, as a column's name may hold what a SavedModel allows in no name of a variable.
        self.context_tables = {
            column: self.add_weight(
                name=f"context_{index}", shape=(size, dimension), initializer="zeros"
            )
            for index, (column, size) in enumerate(self.context_sizes.items())
        }

    def call(
        self,
        item_vectors: tf.Tensor,
        events: tf.Tensor,
        timestamps: tf.Tensor,
        context: dict[str, tf.Tensor],
        asked: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the query vectors; see the class docstring for shapes."""
        states = self.behaviour(item_vectors, events, timestamps, asked, training=training)
        for column, table in self.context_tables.items():
            values = context[column]
            if asked is not None:
                values = tf.gather(values, asked, batch_dims=1)
            states += tf.gather(tf.cast(table, states.dtype), values)
        return tf.math.l2_normalize(states, axis=-1, epsilon=1e-9)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        behaviour = self.behaviour
        return {
            **super().get_config(),
            "dimension": self.dimension,
            "num_events": behaviour.num_events,
            "context_sizes": dict(self.context_sizes),
            "units": behaviour.units,
            "layers": behaviour.layers,
            "dropout": behaviour.dropout,
            "averages": behaviour.averages,
            "layer_norm": behaviour.layer_norm,
            "first_residual": behaviour.first_residual,
            "attention_heads": behaviour.attention_heads,
            "time_gaps": behaviour.time_gaps,
            "event_features": behaviour.event_features,
        }
