"""Small trained layers beside the frozen dense layers of a BERT: low-rank updates and adapters."""

import tensorflow as tf

LORA_SCALE = 2.0
"""Alpha over rank of a low-rank update, where alpha is twice the rank, as is common."""


class _BesideDense(tf.keras.layers.Layer):
    """Stands in the place of a dense layer, and shows its variables as its own did.

    Args:
        dense: the built layer.
    """

    def __init__(self, dense: tf.keras.layers.Layer) -> None:
        super().__init__(name=dense.name, dtype=dense.dtype_policy)
        self.dense = dense

    @property
    def kernel(self) -> tf.Variable:
        """The kernel of the dense layer."""
        return self.dense.kernel

    @property
    def bias(self) -> tf.Variable:
        """The bias of the dense layer."""
        return self.dense.bias


class LowRankUpdate(_BesideDense):
    """A projection into attention heads with a trained update of low rank (LoRA).

    The output is ``x (W + s A B)`` with `A` `[hidden, rank]` and `B` `[rank, heads, size]`; `B`
    starts at zero, so that training starts from the BERT as it is (Hu et al., ICLR 2022,
    equation 3).

    Args:
        dense: the projection, with a kernel `[hidden, heads, size]`.
        rank: rank of the update.
    """

    def __init__(self, dense: tf.keras.layers.Layer, rank: int) -> None:
        super().__init__(dense)
        hidden, heads, size = dense.kernel.shape
        self.down = self.add_weight(
            name="lora_down", shape=(hidden, rank), initializer="glorot_uniform"
        )
        self.up = self.add_weight(name="lora_up", shape=(rank, heads, size), initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the projection of `inputs` `[batch, length, hidden]`, by heads."""
        low = tf.tensordot(inputs, tf.cast(self.down, inputs.dtype), 1)
        update = tf.tensordot(low, tf.cast(self.up, inputs.dtype), 1)
        return self.dense(inputs) + LORA_SCALE * update

    def merge(self) -> None:
        """Adds the update to the kernel, and starts anew from zero."""
        update = tf.tensordot(self.down, self.up, 1)
        self.dense.kernel.assign_add(LORA_SCALE * update)
        self.up.assign(tf.zeros_like(self.up))


class Adapter(_BesideDense):
    """The last dense layer of a feed-forward block, and a trained bottleneck behind it.

    The output is ``y + U gelu(D y)`` for the dense layer's output ``y``; `U` starts at zero, so
    that training starts from the BERT as it is (Houlsby et al., ICML 2019, in the place that
    Pfeiffer et al., EACL 2021, found sufficient).

    Args:
        dense: the dense layer.
        units: width of the bottleneck.
    """

    def __init__(self, dense: tf.keras.layers.Layer, units: int) -> None:
        super().__init__(dense)
        width = dense.kernel.shape[-1]
        self.down = self.add_weight(
            name="adapter_down", shape=(width, units), initializer="glorot_uniform"
        )
        self.down_bias = self.add_weight(
            name="adapter_down_bias", shape=(units,), initializer="zeros"
        )
        self.up = self.add_weight(name="adapter_up", shape=(units, width), initializer="zeros")
        self.up_bias = self.add_weight(name="adapter_up_bias", shape=(width,), initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the outputs for `inputs` `[batch, length, inner]`."""
        outputs = self.dense(inputs)
        dtype = outputs.dtype
        low = tf.tensordot(outputs, tf.cast(self.down, dtype), 1) + tf.cast(self.down_bias, dtype)
        high = tf.tensordot(tf.nn.gelu(low), tf.cast(self.up, dtype), 1)
        return outputs + high + tf.cast(self.up_bias, dtype)
