"""The optimisers of a training: one, or one more for every part with a learning rate of its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfrec.config import TrainingConfig

GradientAndVariable = tuple[Any, tf.Variable]


class PartOptimizers(tf.Module):
    """Optimisers that share the variables of a model, and look like one.

    Args:
        main: steps every variable that no other does.
        others: optimisers by the name of their part.
        variables: the trained variables of these parts.
    """

    def __init__(
        self,
        main: tf.keras.optimizers.Optimizer,
        others: Mapping[str, tf.keras.optimizers.Optimizer],
        variables: Mapping[str, Sequence[tf.Variable]],
    ) -> None:
        super().__init__(name="part_optimizers")
        self.main = main
        self.others = dict(others)
        self._owner = {
            variable.ref(): name for name in others for variable in variables.get(name, ())
        }

    @property
    def iterations(self) -> tf.Variable:
        """Steps so far."""
        return self.main.iterations

    @property
    def learning_rate(self) -> tf.Variable:
        """The learning rate of the variables of no named part."""
        return self.main.learning_rate

    def apply_gradients(self, pairs: Iterable[GradientAndVariable]) -> None:
        """Steps every variable with the optimiser of its part."""
        groups: dict[str, list[GradientAndVariable]] = {}
        for gradient, variable in pairs:
            groups.setdefault(self._owner.get(variable.ref(), ""), []).append((gradient, variable))
        if "" not in groups:
            # It counts the steps, even where all variables belong to parts.
            self.main.iterations.assign_add(1)
        for name, group in groups.items():
            (self.others[name] if name else self.main).apply_gradients(group)


def make_optimizer(
    config: TrainingConfig,
    variables: Mapping[str, Sequence[tf.Variable]] | None = None,
    learning_rates: Mapping[str, float] | None = None,
) -> tf.keras.optimizers.Optimizer | PartOptimizers:
    """Returns Adam (Kingma and Ba, 2015), or AdamW where there is weight decay.

    Args:
        config: learning rate and weight decay.
        variables: the trained variables of every part; needed with `learning_rates`.
        learning_rates: learning rates of parts, by name, that differ from the configuration's.
    """
    main = _adam(config, config.learning_rate)
    if not learning_rates:
        return main
    others = {name: _adam(config, rate) for name, rate in learning_rates.items()}
    return PartOptimizers(main, others, variables or {})


def _adam(config: TrainingConfig, learning_rate: float) -> tf.keras.optimizers.Optimizer:
    if config.weight_decay:
        return tf.keras.optimizers.AdamW(learning_rate, weight_decay=config.weight_decay)
    return tf.keras.optimizers.Adam(learning_rate)
