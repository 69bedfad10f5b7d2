"""Writes a SavedModel that holds its signatures and what they read, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from tfrec.export.ops import unknown_ops

Tensors = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Signature:
    """A function of named tensors, all of which share the leading batch dimension.

    Attributes:
        function: takes and gives tensors by name.
        inputs: the inputs' shapes and dtypes by name.
    """

    function: Callable[[Tensors], Tensors]
    inputs: dict[str, tf.TensorSpec]

    def trace(self) -> tf.types.experimental.ConcreteFunction:
        """Returns the graph of the function; its inputs keep their names."""
        # A dictionary as an `input_signature` would lose the names, keyword arguments keep them.
        traced = tf.function(lambda **inputs: self.function(inputs), autograph=False)
        return traced.get_concrete_function(
            **{
                name: tf.TensorSpec(spec.shape, spec.dtype, name=name)
                for name, spec in self.inputs.items()
            }
        )


def save_model(folder: Path, signatures: dict[str, Signature], tables: list[tf.Module]) -> None:
    """Writes a SavedModel with the variables that its signatures read.

    Keras would add to a saved layer the graphs and variables that training it again needs, so
    only the functions are saved, not the models behind them.

    Args:
        folder: where to write.
        signatures: what the model offers, by name.
        tables: modules whose lookup tables and assets the signatures read.

    Raises:
        RuntimeError: if the graph has an op that a stock model server does not know.
    """
    traced = {name: signature.trace() for name, signature in signatures.items()}
    model = tf.Module()
    read = {id(variable): variable for graph in traced.values() for variable in graph.variables}
    model.read = list(read.values())
    model.tables = tables
    tf.saved_model.save(model, str(folder), signatures=traced)
    unknown = unknown_ops(folder)
    if unknown:
        raise RuntimeError(
            f"the exported graph uses ops that a stock model server lacks: {', '.join(unknown)}"
        )
