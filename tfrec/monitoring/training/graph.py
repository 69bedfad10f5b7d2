"""The views of the machine: the graph of a step, and where its time goes."""

from pathlib import Path

import tensorflow as tf

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import StepReport, TrainingStart

FIRST_PROFILED_STEP = 10
PROFILED_STEPS = 10


class GraphView(View):
    """Writes the graph of a training step, once a run.

    Args:
        log: where to write.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._start: TrainingStart | None = None

    def training_started(self, start: TrainingStart) -> None:
        """Waits for a batch, unless the graph was written before the training was killed."""
        self._start = None if start.step else start

    def step_taken(self, report: StepReport) -> None:
        """Writes the graph for the first batch."""
        if self._start is not None:
            self._log.graph(self._start.graph(report.batch))
            self._start = None


class ProfileView(View):
    """Traces a few steps of this process with TensorFlow's profiler, after the first ones.

    Args:
        folder: the folder of the event files.
        first: steps before the trace, which build graphs and fill buffers.
        steps: steps that are traced.
    """

    def __init__(
        self, folder: Path, first: int = FIRST_PROFILED_STEP, steps: int = PROFILED_STEPS
    ) -> None:
        self._folder = folder
        self._first = first
        self._last = first + steps
        self._taken = 0
        self._tracing = False

    def step_taken(self, report: StepReport) -> None:
        """Starts or ends the trace where it is time."""
        self._taken += 1
        if self._taken == self._first:
            tf.profiler.experimental.start(str(self._folder))
            self._tracing = True
        elif self._taken == self._last:
            self._stop()

    def training_ended(self) -> None:
        """Ends the trace of a training that was shorter."""
        self._stop()

    def failed(self) -> None:
        """Ends the trace."""
        self._stop()

    def _stop(self) -> None:
        if self._tracing:
            tf.profiler.experimental.stop()
            self._tracing = False
