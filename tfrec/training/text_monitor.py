"""What the trainings of the BERT show in TensorBoard."""

from collections.abc import Callable, Mapping
from typing import Any

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import TrainingMonitor, View
from tfrec.monitoring.training.observer import ValidationReport
from tfrec.monitoring.training.progress import ProgressView
from tfrec.training.monitors import log_folder
from tfrec.training.run import RunDirectory


class ScoresView(View):
    """Writes the figures of every validation.

    Args:
        log: where to write.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def validated(self, report: ValidationReport) -> None:
        """Writes ``validation/<name>``."""
        for name, value in report.scores.items():
            self._log.scalar(f"validation/{name}", value, report.step)


def text_monitor(
    run: RunDirectory, count: Callable[[Mapping[str, Any]], int], *, tensorboard: bool
) -> TrainingMonitor:
    """Returns the monitor of a training of the BERT.

    Args:
        run: the folder of the step.
        count: returns the number of training examples of a batch.
        tensorboard: whether anything is written.
    """
    log = EventLog(log_folder(run.path))
    views: list[View] = [ProgressView(log, count), ScoresView(log)] if tensorboard else []
    return TrainingMonitor(log, views)
