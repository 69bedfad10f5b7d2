"""A moving average of the weights that training moves about."""

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class WeightAverage(tf.Module):
    """Keeps the exponential moving average of variables, and lends it to them.

    The last steps of a training on few examples are noise as much as progress; their average
    generalises better (Polyak and Juditsky, 1992; Izmailov et al., UAI 2018).

    Args:
        variables: the variables; the average starts from their values.
        decay: share of the average that a step keeps, in (0, 1).
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float) -> None:
        super().__init__(name="weight_average")
        self._variables = list(variables)
        self._decay = decay
        self.averages = [tf.Variable(value, trainable=False) for value in self._variables]

    @tf.function
    def update(self) -> None:
        """Takes in the variables as they are now."""
        for average, variable in zip(self.averages, self._variables, strict=True):
            average.assign_add((1.0 - self._decay) * (variable - average))

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """The variables hold their averages inside of the block, and their own values after it."""
        own = [variable.numpy() for variable in self._variables]
        for average, variable in zip(self.averages, self._variables, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for value, variable in zip(own, self._variables, strict=True):
                variable.assign(value)
