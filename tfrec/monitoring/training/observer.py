"""What looks on while a model trains: told of every step and every validation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class TrainingStart:
    """A training that begins, or goes on.

    Attributes:
        step: optimiser steps so far; more than 0 where a killed training goes on.
        learning_rate: returns the learning rate as it is.
        weights: the trained variables of every part of the model.
        graph: returns the graph of a training step for a batch like the one given.
    """

    step: int
    learning_rate: Callable[[], float]
    weights: Mapping[str, list["tf.Variable"]]
    graph: Callable[[Mapping[str, Any]], "tf.Graph"]


@dataclass(frozen=True)
class StepReport:
    """A step that was taken.

    Attributes:
        step: optimiser steps so far, this one included.
        batch: what was trained on.
        figures: scalar tensors: `loss`, `loss/<part>`, `gradient_norm`, `gradient_norm/<part>`.
        seconds: time of the step, the wait for its batch included.
        wait_seconds: time spent waiting for the batch.
    """

    step: int
    batch: Mapping[str, Any]
    figures: Mapping[str, Any]
    seconds: float
    wait_seconds: float


@dataclass(frozen=True)
class ValidationReport:
    """A validation that was made.

    Attributes:
        step: optimiser steps so far.
        epoch: epochs trained.
        scores: the figures; the first is the one that decides.
        is_best: whether the deciding figure is the best so far.
        seconds: time that the validation took.
    """

    step: int
    epoch: int
    scores: Mapping[str, float]
    is_best: bool
    seconds: float


class TrainingObserver:
    """Looks on; every method does nothing until a subclass overrides it."""

    def training_started(self, start: TrainingStart) -> None:
        """Called once in every process, before the first step."""

    def step_taken(self, report: StepReport) -> None:
        """Called after every step."""

    def validated(self, report: ValidationReport) -> None:
        """Called after every validation, the one before the first step included."""

    def training_ended(self) -> None:
        """Called when the best weights are back in the model; not where the process is killed."""
