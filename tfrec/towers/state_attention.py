"""Attention over the states that an LSTM has passed through."""

from typing import Any

import tensorflow as tf

FIRST_SCALE = 0.1


@tf.keras.utils.register_keras_serializable(package="tfrec")
class StateAttention(tf.keras.layers.Layer):
    """Lets every state look back at those before it.

    What an LSTM has forgotten is still in its earlier states, which attention reaches in one step
    (Bahdanau et al., ICLR 2015; for sessions Li et al., "Neural attentive session-based
    recommendation", CIKM 2017). The layer is the attention half of a Transformer block: several
    heads of scaled dot products (Vaswani et al., 2017) over normalised states inside a residual
    connection (Xiong et al., ICML 2020), times a learned factor for each number that starts small
    (LayerScale; Touvron et al., "Going deeper with image transformers", ICCV 2021, eq. 4), so that
    a training begins near the LSTM alone.

    Args:
        heads: number of heads, which share the width of a state among them.
        dropout: dropout rate of the attention weights.

    Call arguments:
        states: float `[batch, length, units]`.
        asked: int `[batch, count]`, places of the states wanted; `None` for all. A single state
            costs as much as the history is long, all of them that squared.

    Returns:
        float `[batch, count, units]`; a state depends on those up to its own place alone.

    Raises:
        ValueError: if `units` is no multiple of `heads`.
    """

    def __init__(self, heads: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.dropout = dropout
        self.norm = tf.keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", dtype=self.dtype_policy
        )

    def build(self, input_shape: Any) -> None:
        """Makes the heads, whose size is that of the states over their number."""
        units = int(input_shape[-1])
        if units % self.heads:
            raise ValueError(
                "The width of a state should be a multiple of `heads`. Received: "
                f"states of {units}, heads={self.heads}"
            )
        self.attention = tf.keras.layers.MultiHeadAttention(
            self.heads,
            units // self.heads,
            dropout=self.dropout,
            name="attention",
            dtype=self.dtype_policy,
        )
        self.scale = self.add_weight(
            name="scale",
            shape=(units,),
            initializer=tf.keras.initializers.Constant(FIRST_SCALE),
        )
        super().build(input_shape)

    def call(
        self, states: tf.Tensor, asked: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """Returns the states; see the class docstring for shapes."""
        places = tf.range(tf.shape(states)[1])
        below = self.norm(states)
        if asked is None:
            asking, query = states, below
            visible = places <= places[tf.newaxis, :, tf.newaxis]
        else:
            asking, query = (tf.gather(each, asked, batch_dims=1) for each in (states, below))
            visible = places <= tf.cast(asked, places.dtype)[..., tf.newaxis]
        found = self.attention(query, below, attention_mask=visible, training=training)
        return asking + tf.cast(self.scale, states.dtype) * found

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "heads": self.heads, "dropout": self.dropout}
