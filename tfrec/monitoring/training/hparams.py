"""The view of the settings: one row a run in TensorBoard's table of hyperparameters."""

from collections.abc import Mapping
from typing import Any

from tensorboard.plugins.hparams import api_pb2, summary_v2
from tensorboard.plugins.hparams import summary as hparams_summary

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import TrainingStart

METRICS = {
    "validation/ndcg@10": "validation NDCG@10",
    "final/valid_ndcg@10": "final NDCG@10",
    "loss/all": "loss",
    "speed/examples_per_second": "examples a second",
    "speed/input_wait_share": "input wait",
}


class HParamsView(View):
    """Writes the settings of the run, and how it ended.

    Args:
        log: where to write.
        settings: the settings of this run, see `table_values`.
        names: the settings that the table has columns for; all runs should name the same ones.
    """

    def __init__(
        self, log: EventLog, settings: Mapping[str, bool | float | str], names: list[str]
    ) -> None:
        self._log = log
        self._settings = dict(settings)
        self._names = names

    def training_started(self, start: TrainingStart) -> None:
        """Writes the settings."""
        columns = [summary_v2.HParam(name) for name in self._names]
        metrics = [summary_v2.Metric(tag, display_name=name) for tag, name in METRICS.items()]
        self._log.summaries(
            [
                summary_v2.hparams_config_pb(hparams=columns, metrics=metrics),
                summary_v2.hparams_pb(self._settings),
            ],
            start.step,
        )

    def finished(self, figures: Mapping[str, float]) -> None:
        """Writes that the run succeeded."""
        self._end(api_pb2.STATUS_SUCCESS)

    def failed(self) -> None:
        """Writes that the run failed."""
        self._end(api_pb2.STATUS_FAILURE)

    def _end(self, status: int) -> None:
        self._log.summaries([hparams_summary.session_end_pb(status)], 0)


def table_values(settings: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """Returns settings as the table takes them: lists and `None` become text.

    Args:
        settings: plain values by name.
    """
    return {
        name: value if isinstance(value, bool | int | float | str) else _text(value)
        for name, value in settings.items()
    }


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
