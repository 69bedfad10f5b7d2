"""Loads the tensors of a Hugging Face BERT into a KerasNLP backbone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.towers.bert.architecture import BertArchitecture
from tfrec.towers.bert.library import keras_nlp
from tfrec.towers.bert.weights import BertFiles

_WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
_POOLER = "pooler."


def load_backbone(files: BertFiles, dtype: Any = "float32") -> keras_nlp.models.BertBackbone:
    """Returns the BERT of `files` as a backbone.

    Position ids, task heads and every other tensor that an encoder does not need are ignored.
    The pooler is filled where the checkpoint has one; nothing in tfrec reads it.

    Raises:
        UserError: if the configuration is not a BERT's, the weights cannot be read, or tensors
            are missing or have another shape than the configuration says.
    """
    backbone = BertArchitecture.from_hugging_face(files.config).build(dtype)
    load_weights(backbone, files.weights)
    return backbone


def load_weights(backbone: keras_nlp.models.BertBackbone, path: Path) -> None:
    """Fills `backbone` from a safetensors file, with or without a prefix such as ``bert.``.

    Raises:
        UserError: as `load_backbone`; `backbone` is then unchanged.
    """
    tensors = _read(path)
    prefix = _prefix_of(tensors, path)
    missing: list[str] = []
    misshapen: list[str] = []
    assignments: list[tuple[tf.Variable, np.ndarray]] = []
    for name, variable, shape in _mapping(backbone):
        tensor = _lookup(tensors, prefix + name)
        if tensor is None:
            if not name.startswith(_POOLER):
                missing.append(prefix + name)
        elif tensor.shape != shape:
            misshapen.append(f"{prefix + name} is {list(tensor.shape)} instead of {list(shape)}")
        else:
            if _is_transposed(name):
                tensor = tensor.T
            assignments.append((variable, tensor.reshape(variable.shape)))
    if missing:
        raise UserError(
            f"{path} lacks {len(missing)} tensors that the config.json beside it calls for: "
            f"{_first_few(missing)}; take both files from the same BERT"
        )
    if misshapen:
        raise UserError(
            f"{path} does not fit the config.json beside it: {_first_few(misshapen)}; take both "
            "files from the same BERT"
        )
    for variable, value in assignments:
        variable.assign(value.astype(np.float32))


def hugging_face_tensors(backbone: keras_nlp.models.BertBackbone) -> dict[str, np.ndarray]:
    """Returns the tensors of `backbone` under Hugging Face's names and in its layout."""
    tensors = {}
    for name, variable, shape in _mapping(backbone):
        value = variable.numpy()
        if _is_transposed(name):
            value = value.reshape(shape[::-1]).T
        tensors[name] = value
    return tensors


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"cannot read the weights {path} ({error}); the file may be half-copied"
        ) from error


def _prefix_of(tensors: dict[str, np.ndarray], path: Path) -> str:
    """Returns what stands before ``embeddings.word_embeddings.weight``, such as ``bert.``."""
    prefixes = [name.removesuffix(_WORD_EMBEDDINGS) for name in tensors if _is_table(name)]
    if not prefixes:
        raise UserError(
            f"{path} lacks the tensor {_WORD_EMBEDDINGS}, with or without a prefix such as "
            "'bert.'; it does not hold a BERT"
        )
    return min(prefixes, key=len)


def _is_transposed(name: str) -> bool:
    """Whether PyTorch, which keeps a dense kernel as [out, in], has it the other way round.

    Embedding tables have the same layout in both.
    """
    return not name.endswith("_embeddings.weight")


def _is_table(name: str) -> bool:
    return name == _WORD_EMBEDDINGS or name.endswith("." + _WORD_EMBEDDINGS)


def _lookup(tensors: dict[str, np.ndarray], name: str) -> np.ndarray | None:
    if name in tensors:
        return tensors[name]
    # Checkpoints converted from TensorFlow 1 keep its names for the layer norms.
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )
    return tensors.get(old)


def _mapping(
    backbone: keras_nlp.models.BertBackbone,
) -> Iterator[tuple[str, tf.Variable, tuple[int, ...]]]:
    """Yields Hugging Face's name of a tensor, our variable, and the shape the file must have."""
    hidden, inner = backbone.hidden_dim, backbone.intermediate_dim

    def norm(
        name: str, layer: tf.keras.layers.LayerNormalization
    ) -> Iterator[tuple[str, tf.Variable, tuple[int, ...]]]:
        yield f"{name}.weight", layer.gamma, (hidden,)
        yield f"{name}.bias", layer.beta, (hidden,)

    def dense(
        name: str, layer: tf.keras.layers.Layer, inputs: int, outputs: int
    ) -> Iterator[tuple[str, tf.Variable, tuple[int, ...]]]:
        yield f"{name}.weight", layer.kernel, (outputs, inputs)
        yield f"{name}.bias", layer.bias, (outputs,)

    tables = (
        ("word", backbone.token_embedding.embeddings, backbone.vocabulary_size),
        ("position", backbone.position_embedding.position_embeddings, backbone.max_sequence_length),
        ("token_type", backbone.segment_embedding.embeddings, backbone.num_segments),
    )
    for kind, table, rows in tables:
        yield f"embeddings.{kind}_embeddings.weight", table, (rows, hidden)
    yield from norm("embeddings.LayerNorm", backbone.embeddings_layer_norm)
    for index, layer in enumerate(backbone.transformer_layers):
        name = f"encoder.layer.{index}"
        attention = layer._self_attention_layer
        yield from dense(f"{name}.attention.self.query", attention._query_dense, hidden, hidden)
        yield from dense(f"{name}.attention.self.key", attention._key_dense, hidden, hidden)
        yield from dense(f"{name}.attention.self.value", attention._value_dense, hidden, hidden)
        yield from dense(f"{name}.attention.output.dense", attention._output_dense, hidden, hidden)
        yield from norm(f"{name}.attention.output.LayerNorm", layer._self_attention_layer_norm)
        yield from dense(
            f"{name}.intermediate.dense", layer._feedforward_intermediate_dense, hidden, inner
        )
        yield from dense(f"{name}.output.dense", layer._feedforward_output_dense, inner, hidden)
        yield from norm(f"{name}.output.LayerNorm", layer._feedforward_layer_norm)
    yield from dense(f"{_POOLER}dense", backbone.pooled_dense, hidden, hidden)


def _first_few(names: list[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
