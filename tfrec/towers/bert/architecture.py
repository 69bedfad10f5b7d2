"""The shape of a BERT, read from Hugging Face's config.json and built with KerasNLP."""

import dataclasses
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.errors import UserError
from tfrec.files import read_json
from tfrec.towers.bert.library import keras_nlp

_ACTIVATIONS = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: tf.nn.gelu(x, approximate=True),
    "gelu_fast": lambda x: tf.nn.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
}


@dataclasses.dataclass(frozen=True)
class BertArchitecture:
    """Everything that defines a BERT encoder but its weights (Devlin et al., 2019)."""

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    max_sequence_length: int
    num_segments: int = 2
    dropout: float = 0.1
    activation: str = "gelu"
    layer_norm_epsilon: float = 1e-12

    @classmethod
    def from_hugging_face(cls, path: Path) -> "BertArchitecture":
        """Reads a Hugging Face ``config.json``.

        Raises:
            UserError: if the file is not JSON, lacks a value, or describes something that is
                not a BERT encoder with absolute positions.
        """
        config = read_json(path)
        if not isinstance(config, dict):
            raise UserError(f"{path} should hold a JSON object that describes a BERT")
        kind = config.get("model_type", "bert")
        if kind != "bert":
            raise UserError(
                f"{path} describes a model of type {kind!r}; only 'bert' can be imported"
            )
        positions = config.get("position_embedding_type", "absolute")
        if positions != "absolute":
            raise UserError(
                f"{path} asks for position_embedding_type {positions!r}; only 'absolute' is known"
            )
        activation = config.get("hidden_act", "gelu")
        if activation not in _ACTIVATIONS:
            raise UserError(
                f"{path} asks for hidden_act {activation!r}; known are {', '.join(_ACTIVATIONS)}"
            )

        def whole_number(key: str, default: int | None = None) -> int:
            value = config.get(key, default)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{path} should give {key} as a positive whole number, not {value}")
            return value

        def number(key: str, default: float) -> float:
            value = config.get(key, default)
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise UserError(f"{path} should give {key} as a number, not {value}")
            return float(value)

        architecture = cls(
            vocabulary_size=whole_number("vocab_size"),
            num_layers=whole_number("num_hidden_layers"),
            num_heads=whole_number("num_attention_heads"),
            hidden_dim=whole_number("hidden_size"),
            intermediate_dim=whole_number("intermediate_size"),
            max_sequence_length=whole_number("max_position_embeddings", 512),
            num_segments=whole_number("type_vocab_size", 2),
            dropout=number("hidden_dropout_prob", 0.1),
            activation=activation,
            layer_norm_epsilon=number("layer_norm_eps", 1e-12),
        )
        if architecture.hidden_dim % architecture.num_heads:
            raise UserError(
                f"{path} gives hidden_size {architecture.hidden_dim}, which is not a multiple of "
                f"num_attention_heads {architecture.num_heads}"
            )
        return architecture

    def to_hugging_face(self) -> dict[str, Any]:
        """Returns what `from_hugging_face` reads, as a content of ``config.json``."""
        return {
            "model_type": "bert",
            "architectures": ["BertModel"],
            "vocab_size": self.vocabulary_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "hidden_size": self.hidden_dim,
            "intermediate_size": self.intermediate_dim,
            "max_position_embeddings": self.max_sequence_length,
            "type_vocab_size": self.num_segments,
            "hidden_dropout_prob": self.dropout,
            "attention_probs_dropout_prob": self.dropout,
            "hidden_act": self.activation,
            "layer_norm_eps": self.layer_norm_epsilon,
        }

    def build(self, dtype: Any = "float32") -> keras_nlp.models.BertBackbone:
        """Returns a backbone with random weights.

        Args:
            dtype: Keras dtype or policy of every layer. KerasNLP's own default would be the
                global policy, and vectors that are cached must not depend on that.
        """
        backbone = keras_nlp.models.BertBackbone(
            vocabulary_size=self.vocabulary_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            hidden_dim=self.hidden_dim,
            intermediate_dim=self.intermediate_dim,
            dropout=self.dropout,
            max_sequence_length=self.max_sequence_length,
            num_segments=self.num_segments,
            dtype=dtype,
        )
        # KerasNLP fixes tanh-approximated GELU and epsilon 1e-12; a checkpoint may differ.
        backbone.embeddings_layer_norm.epsilon = self.layer_norm_epsilon
        for layer in backbone.transformer_layers:
            layer._feedforward_intermediate_dense.activation = _ACTIVATIONS[self.activation]
            layer._self_attention_layer_norm.epsilon = self.layer_norm_epsilon
            layer._feedforward_layer_norm.epsilon = self.layer_norm_epsilon
        return backbone
