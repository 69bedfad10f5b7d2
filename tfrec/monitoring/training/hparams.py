"""The view of the settings: one row a run in TensorBoard's table of hyperparameters."""

from collections.abc import Mapping
from typing import Any

from tensorboard.plugins.hparams import api_pb2, summary_v2
from tensorboard.plugins.hparams import summary as hparams_summary

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import TrainingStart, ValidationReport


class HParamsView(View):
    """Writes the settings of the run, what it has reached, and how it ended.

    Into a folder of its own: the table has a column for every scalar of a run's folder, and beside
    the curves of the training there would be dozens. Which settings differ between runs, and so
    come first, TensorBoard finds out itself.

    Args:
        log: where to write; opened and closed here.
        name: what the row is called; rows of one name become one.
        settings: plain values by name.
    """

    def __init__(self, log: EventLog, name: str, settings: Mapping[str, Any]) -> None:
        self._log = log
        self._name = name
        self._settings = {name: table_value(value) for name, value in settings.items()}
        self._step = 0

    def training_started(self, start: TrainingStart) -> None:
        """Writes the settings."""
        self._log.open(start.step)
        self._log.summaries(
            [summary_v2.hparams_pb(self._settings, trial_id=self._name)], start.step
        )

    def validated(self, report: ValidationReport) -> None:
        """Writes the best validation so far."""
        self._step = report.step
        if report.is_best:
            for name, value in report.scores.items():
                self._log.scalar(f"best_{name.replace('/', '_')}", value, report.step)
            self._log.flush()

    def finished(self, figures: Mapping[str, float]) -> None:
        """Writes the final metrics, and that the run succeeded."""
        for name, value in figures.items():
            self._log.scalar(f"final_{name.replace('/', '_')}", value, self._step)
        self._end(api_pb2.STATUS_SUCCESS)

    def failed(self) -> None:
        """Writes that the run failed."""
        self._end(api_pb2.STATUS_FAILURE)

    def _end(self, status: int) -> None:
        if self._log.is_open:
            self._log.summaries([hparams_summary.session_end_pb(status)], self._step)
            self._log.close()


def table_value(value: Any) -> bool | float | str:
    """Returns a setting as the table takes it: lists and `None` become text."""
    if isinstance(value, bool | int | float | str):
        return value
    return "none" if value is None else str(value)
