"""Functions as graphs that are made once, whatever the sizes of what they are given."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class OpenGraph:
    """A function of tensors as a graph with every dimension left open.

    Shoppers come in batches of other sizes and lengths each time. A `tf.function` is made anew
    for the first few of them, which costs more than the batches themselves.

    Args:
        function: of tensors, or dictionaries of them, whose ranks stay the same. Its Python code
            does not depend on their values: AutoGraph is off.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        # A concrete function asks for arguments that have a default, too, unless they are hidden.
        self._function = tf.function(lambda *inputs: function(*inputs), autograph=False)

    def __call__(self, *inputs: Any) -> Any:
        """Returns what the function returns."""
        return self.traced(*inputs)(*inputs)

    def traced(self, *inputs: Any) -> tf.types.experimental.ConcreteFunction:
        """Returns the graph for inputs of these structures, ranks and types."""
        return self._function.get_concrete_function(*tf.nest.map_structure(_open, inputs))


def _open(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype)
