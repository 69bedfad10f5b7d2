"""Experts that tasks share, each task in a mixture of its own."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="tfrec")
class MixtureOfExperts(tf.keras.layers.Layer):
    """Gives every task a mixture of the same experts, by a gate of its own (MMoE).

    Ma, Zhao, Yi, Chen, Hong and Chi, "Modeling task relationships in multi-task learning with
    multi-gate mixture-of-experts", KDD 2018, equations 6 to 8: task `k` reads
    `sum over i of softmax(W_k x)_i f_i(x)`, where the experts `f_i` are networks of one shape.
    Tasks that have little in common can so learn from different experts, where one network for all
    would have to serve each.

    Args:
        num_experts: how many.
        num_tasks: how many mixtures.
        units: sizes of each expert's layers, with ReLU.
        dropout: dropout rate after each of them.

    Call arguments:
        inputs: float `[..., features]`, what the experts read.
        gated_by: float `[..., gate_features]`, what the gates read.
        training: whether dropout is on.

    Returns:
        A list of `num_tasks` tensors, float `[..., units[-1]]`.
    """

    def __init__(
        self,
        num_experts: int,
        num_tasks: int,
        units: Sequence[int],
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_experts < 1 or not units:
            raise ValueError(
                "a mixture needs experts of at least one layer. "
                f"Received: num_experts={num_experts}, units={list(units)}"
            )
        self.num_experts = num_experts
        self.num_tasks = num_tasks
        self.units = list(units)
        self.rate = dropout
        self.experts = [
            [
                tf.keras.layers.Dense(
                    size,
                    activation="relu",
                    name=f"expert_{expert}_{index}",
                    dtype=self.dtype_policy,
                )
                for index, size in enumerate(self.units)
            ]
            for expert in range(num_experts)
        ]
        self.gates = [
            tf.keras.layers.Dense(
                num_experts, use_bias=False, name=f"gate_{task}", dtype=self.dtype_policy
            )
            for task in range(num_tasks)
        ]
        self.dropout = tf.keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def call(
        self, inputs: tf.Tensor, gated_by: tf.Tensor, training: bool = False
    ) -> list[tf.Tensor]:
        """Returns every task's mixture; see the class docstring for shapes."""
        answers = []
        for layers in self.experts:
            answer = inputs
            for layer in layers:
                answer = self.dropout(layer(answer), training=training)
            answers.append(answer)
        together = tf.stack(answers, axis=-1)
        return [tf.linalg.matvec(together, self._shares(gate, gated_by)) for gate in self.gates]

    def _shares(self, gate: tf.keras.layers.Layer, gated_by: tf.Tensor) -> tf.Tensor:
        shares = tf.nn.softmax(tf.cast(gate(gated_by), tf.float32))
        return tf.cast(shares, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "num_tasks": self.num_tasks,
            "units": self.units,
            "dropout": self.rate,
        }
