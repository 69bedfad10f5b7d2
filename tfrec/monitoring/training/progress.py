"""The view of the steps: losses, learning rate, gradient norms, speed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import psutil

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import StepReport, TrainingStart, ValidationReport

STEPS_A_POINT = 20
MEBIBYTE = 1 << 20


class ProgressView(View):
    """Writes the means over every few steps, so that curves are smooth and writing is cheap.

    Args:
        log: where to write.
        count: returns the number of training examples of a batch.
        every: steps a point of the curves.
    """

    def __init__(
        self,
        log: EventLog,
        count: Callable[[Mapping[str, Any]], int],
        every: int = STEPS_A_POINT,
    ) -> None:
        self._log = log
        self._count = count
        self._every = every
        self._learning_rate: Callable[[], float] = lambda: float("nan")
        self._process = psutil.Process()
        self._forget()

    def training_started(self, start: TrainingStart) -> None:
        """Keeps the way to the learning rate."""
        self._learning_rate = start.learning_rate

    def step_taken(self, report: StepReport) -> None:
        """Adds the step to its point, and writes the point when it is full."""
        for name, value in report.figures.items():
            self._figures.setdefault(name, []).append(value)
        self._examples += self._count(report.batch)
        self._seconds += report.seconds
        self._wait_seconds += report.wait_seconds
        self._steps += 1
        if report.step % self._every == 0:
            self._write(report.step)

    def validated(self, report: ValidationReport) -> None:
        """Writes what is left of the epoch, so that short ones have a point, too."""
        if self._steps:
            self._write(report.step)
        self._log.scalar("speed/validation_seconds", report.seconds, report.step)

    def _write(self, step: int) -> None:
        for name, values in self._figures.items():
            tag = name if "/" in name else f"{name}/all"
            self._log.scalar(tag, float(np.mean([float(value) for value in values])), step)
        seconds = max(self._seconds, 1e-9)
        memory = self._process.memory_info().rss / MEBIBYTE
        for tag, value in {
            "optimiser/learning_rate": self._learning_rate(),
            "speed/steps_per_second": self._steps / seconds,
            "speed/examples_per_second": self._examples / seconds,
            "speed/input_wait_share": self._wait_seconds / seconds,
            "speed/memory_mib": memory,
        }.items():
            self._log.scalar(tag, value, step)
        self._forget()

    def _forget(self) -> None:
        self._figures: dict[str, list[Any]] = {}
        self._examples = self._steps = 0
        self._seconds = self._wait_seconds = 0.0
