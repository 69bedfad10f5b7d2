"""The behaviour tower: an LSTM that reads what a shopper did."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfrec.towers.state_attention import StateAttention

SECONDS_PER_HOUR = 3600.0
NUM_GAP_BUCKETS = 16


def time_gap_buckets(timestamps: tf.Tensor) -> tf.Tensor:
    """Returns the logarithmic bucket of the time since the event before.

    Bucket 0 is "unknown" (first event, or no timestamps), 1 is "the same moment", and each
    further bucket is twice as long as the one before, from one hour up.

    Args:
        timestamps: int64 `[batch, length]`, unix seconds, oldest first; 0 for unknown.

    Returns:
        int32 `[batch, length]`, in `[0, NUM_GAP_BUCKETS)`.
    """
    before = tf.pad(timestamps[:, :-1], [[0, 0], [1, 0]])
    known = tf.logical_and(before > 0, timestamps > 0)
    hours = tf.cast(tf.maximum(timestamps - before, 0), tf.float32) / SECONDS_PER_HOUR
    bucket = 1 + tf.cast(tf.math.ceil(tf.math.log1p(hours) / tf.math.log(2.0)), tf.int32)
    bucket = tf.minimum(bucket, NUM_GAP_BUCKETS - 1)
    return tf.where(known, bucket, tf.zeros_like(bucket))


@tf.keras.utils.register_keras_serializable(package="tfrec")
class BehaviourTower(tf.keras.layers.Layer):
    """Reads a history with an LSTM and gives one state before and after every event.

    State 0 is learned and stands for a shopper who has done nothing yet; state `i` has seen the
    first `i` events. Histories are padded on the right: as the LSTM runs from left to right, no
    state of a real event ever depends on padding, and states past the end are to be ignored.

    Args:
        dimension: size of a state.
        num_events: number of event types; event 0 is padding.
        units: width of the LSTM.
        layers: number of stacked LSTMs, the second and later ones with a residual connection (He
            et al., CVPR 2016).
        dropout: dropout rate on inputs and states.
        layer_norm: whether what each LSTM reads is normalised over its numbers (Ba et al., "Layer
            normalization", 2016), inside the residual connection as in Xiong et al., "On layer
            normalization in the Transformer architecture", ICML 2020. Nothing normalises the last
            LSTM's states: those are bounded, and would drown the averages otherwise.
        first_residual: whether the first LSTM has a residual connection, too, which needs item
            vectors as wide as the LSTM.
        attention_heads: heads of the attention over the states; 0 for no attention.
        time_gaps: whether the LSTM reads the time since the event before.
        event_features: whether it reads the event types.
        averages: decay factors, each giving a moving average of the item vectors seen so far
            (1.0: their plain mean) that is added to the LSTM's view of the history. An LSTM
            forgets; the averages remember the long run.

    Call arguments:
        item_vectors: float `[batch, length, item_dimension]`.
        events: int `[batch, length]`, event types from 1.
        timestamps: int64 `[batch, length]`, unix seconds; 0 for unknown.
        asked: int `[batch, count]`, the states wanted, in `[0, length]`; `None` for all.

    Returns:
        float `[batch, length + 1, dimension]`, or `[batch, count, dimension]` of those asked for.

    Raises:
        ValueError: if `item_dimension` is not `dimension` and there are averages, or is not
            `units` and the first LSTM has a residual connection, or if `units` is no multiple of
            `attention_heads`.
    """

    def __init__(
        self,
        dimension: int,
        num_events: int,
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
        self.num_events = num_events
        self.units = units
        self.layers = layers
        self.dropout = dropout
        self.averages = list(averages)
        self.layer_norm = layer_norm
        self.first_residual = first_residual
        self.attention_heads = attention_heads
        self.time_gaps = time_gaps
        self.event_features = event_features
        self.lstms = [
            tf.keras.layers.LSTM(
                units, return_sequences=True, name=f"lstm_{index}", dtype=self.dtype_policy
            )
            for index in range(layers)
        ]
        if layer_norm:
            # Numbers of a unit vector are so small that Keras' own epsilon would weigh.
            self.norms = [
                tf.keras.layers.LayerNormalization(
                    epsilon=1e-6, name=f"norm_{index}", dtype=self.dtype_policy
                )
                for index in range(layers)
            ]
        if attention_heads:
            self.attention = StateAttention(
                attention_heads, dropout=dropout, name="attention", dtype=self.dtype_policy
            )
        self.input_dropout = tf.keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.state_dropout = tf.keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.project = tf.keras.layers.Dense(dimension, name="project", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Makes the embeddings, whose size is that of the item vectors."""
        size = int(input_shape[-1])
        if self.averages and size != self.dimension:
            raise ValueError(
                "`averages` are added to the states, so `item_vectors` should have as many "
                f"dimensions as a state. Received: item_vectors of {size}, "
                f"dimension={self.dimension}"
            )
        if self.first_residual and size != self.units:
            raise ValueError(
                "`first_residual` adds item vectors to what an LSTM makes of them, so they should "
                f"be as wide. Received: item_vectors of {size}, units={self.units}"
            )
        shapes: dict[str, tuple[int, ...]] = {"start": (size,)}
        if self.event_features:
            shapes["event_embedding"] = (self.num_events + 1, size)
        if self.time_gaps:
            shapes["gap_embedding"] = (NUM_GAP_BUCKETS, size)
        for name, shape in shapes.items():
            small = tf.keras.initializers.RandomNormal(stddev=0.02)
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer=small))
        if self.averages:
            self.average_weight = self.add_weight(
                name="average_weight", shape=(len(self.averages), size), initializer="ones"
            )
        super().build(input_shape)

    def call(
        self,
        item_vectors: tf.Tensor,
        events: tf.Tensor,
        timestamps: tf.Tensor,
        asked: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the states; see the class docstring for shapes."""
        dtype = self.compute_dtype
        steps = tf.cast(item_vectors, dtype)
        if self.event_features:
            steps += tf.gather(tf.cast(self.event_embedding, dtype), events)
        if self.time_gaps:
            steps += tf.gather(tf.cast(self.gap_embedding, dtype), time_gap_buckets(timestamps))
        start = tf.broadcast_to(
            tf.cast(self.start, dtype), [tf.shape(steps)[0], 1, tf.shape(steps)[2]]
        )
        states = self.input_dropout(tf.concat([start, steps], axis=1), training=training)
        for index, lstm in enumerate(self.lstms):
            below = self.norms[index](states) if self.layer_norm else states
            above = lstm(below, training=training)
            states = states + above if index or self.first_residual else above
        if self.attention_heads:
            states = self.attention(states, asked, training=training)
        else:
            states = _those_of(states, asked)
        states = self.project(self.state_dropout(states, training=training))
        if self.averages:
            states += _those_of(self._moving_averages(tf.cast(item_vectors, dtype)), asked)
        return states

    def _moving_averages(self, item_vectors: tf.Tensor) -> tf.Tensor:
        length = tf.shape(item_vectors)[1]
        # age[i, h]: steps between state i and the event h that it has seen; negative if it has not.
        age = tf.range(length + 1)[:, tf.newaxis] - 1 - tf.range(length)
        seen = tf.cast(age >= 0, item_vectors.dtype)
        steps = tf.cast(tf.maximum(age, 0), item_vectors.dtype)
        total = tf.zeros([], item_vectors.dtype)
        for index, decay in enumerate(self.averages):
            weight = seen * tf.pow(tf.cast(decay, item_vectors.dtype), steps)
            share = tf.math.divide_no_nan(weight, tf.reduce_sum(weight, axis=1, keepdims=True))
            mean = tf.einsum("ih,bhd->bid", share, item_vectors)
            total += mean * tf.cast(self.average_weight[index], item_vectors.dtype)
        return total

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "dimension": self.dimension,
            "num_events": self.num_events,
            "units": self.units,
            "layers": self.layers,
            "dropout": self.dropout,
            "averages": self.averages,
            "layer_norm": self.layer_norm,
            "first_residual": self.first_residual,
            "attention_heads": self.attention_heads,
            "time_gaps": self.time_gaps,
            "event_features": self.event_features,
        }


def _those_of(states: tf.Tensor, asked: tf.Tensor | None) -> tf.Tensor:
    return states if asked is None else tf.gather(states, asked, batch_dims=1)
