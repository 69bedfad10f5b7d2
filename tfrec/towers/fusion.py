"""How an item's text and its id become one vector."""

from typing import Any, Literal, get_args

import tensorflow as tf

Fusion = Literal["sum", "text", "id", "id_from_text", "concatenate", "gate"]
FUSIONS: tuple[str, ...] = get_args(Fusion)
ID_INSTEAD = ("id", "id_from_text")
"""Fusions in which an id stands in the place of the text, which then does not train."""


@tf.keras.utils.register_keras_serializable(package="tfrec")
class TextIdFusion(tf.keras.layers.Layer):
    """Makes one vector of a projected text and an id's vector.

    Every fusion gives an item without an id the place that its text gives it, and all but the two
    of `ID_INSTEAD` start from there with every item.

    Args:
        kind: ``sum`` adds them; ``text`` leaves the id out; ``id`` and ``id_from_text`` leave the
            text out where there is an id, and differ in what ids start from; ``concatenate`` puts
            a dense layer over both; ``gate`` adds the id's vector after text and id have decided,
            number by number, how much of it counts.
        dimension: size of the vectors.

    Call arguments:
        text: float `[..., dimension]`.
        ids: float `[..., dimension]`, zero where there is no id.
        known: float `[..., 1]`, 1 where there is one.

    Returns:
        float `[..., dimension]`.
    """

    def __init__(self, kind: Fusion, dimension: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if kind not in FUSIONS:
            raise ValueError(f"`kind` should be one of {FUSIONS}. Received: kind={kind}")
        self.kind: Fusion = kind
        self.dimension = dimension
        if kind == "concatenate":
            self.kernel = self.add_weight(
                name="concatenation", shape=(2 * dimension, dimension), initializer=_two_identities
            )
        elif kind == "gate":
            self.kernel = self.add_weight(
                name="gate", shape=(2 * dimension, dimension), initializer="zeros"
            )
            self.bias = self.add_weight(name="gate_bias", shape=(dimension,), initializer="zeros")

    def call(self, text: tf.Tensor, ids: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Returns the fused vectors; see the class docstring for shapes."""
        if self.kind == "text":
            return text
        if self.kind in ID_INSTEAD:
            return ids + (1 - known) * text
        if self.kind == "sum":
            return text + ids
        both = tf.tensordot(tf.concat([text, ids], axis=-1), tf.cast(self.kernel, text.dtype), 1)
        if self.kind == "concatenate":
            return both
        # Twice, so that a gate that has learned nothing lets the id pass as it is.
        return text + 2.0 * tf.sigmoid(both + tf.cast(self.bias, text.dtype)) * ids

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "kind": self.kind, "dimension": self.dimension}


def _two_identities(shape: tf.TensorShape, dtype: tf.DType | None = None, **_: Any) -> tf.Tensor:
    """Starts a dense layer over two vectors as their sum."""
    identity = tf.eye(shape[1], dtype=dtype or tf.float32)
    return tf.concat([identity, identity], axis=0)
