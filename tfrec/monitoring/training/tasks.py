"""The view of the ranking tasks: precision-recall and calibration curves, and their figures."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from tensorboard.plugins.pr_curve import summary as pr_curve

from tfrec.evaluation.calibration import calibration_curve
from tfrec.evaluation.probabilities import auc, expected_calibration_error, log_loss
from tfrec.monitoring.training.calibration_plot import PIXELS, plot_calibration
from tfrec.monitoring.training.distributions import thinned
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import TimeBudget, View
from tfrec.monitoring.training.observer import ValidationReport

Outcomes = Mapping[str, tuple[np.ndarray, np.ndarray]]


class TaskView(View):
    """Writes how good the probabilities of every event are.

    Args:
        log: where to write.
        outcomes: returns labels 0/1 and probabilities, both float `[num_examples]`, by event.
        budget: decides whether to write in the middle of the training.
    """

    def __init__(self, log: EventLog, outcomes: Callable[[], Outcomes], budget: TimeBudget) -> None:
        self._log = log
        self._outcomes = outcomes
        self._budget = budget
        self._step = 0

    def validated(self, report: ValidationReport) -> None:
        """Writes the figures of the model as it is, not yet calibrated."""
        self._step = report.step
        if self._budget.allows():
            with self._budget.spending():
                for event, (labels, probabilities) in self._usable():
                    self._write(event, labels, probabilities)

    def finished(self, figures: Mapping[str, float]) -> None:
        """Writes the figures of the calibrated model, and pictures of its calibration."""
        for event, (labels, probabilities) in self._usable():
            name = f"{event}_calibrated"
            self._write(name, labels, probabilities)
            plot = plot_calibration(event, calibration_curve(labels, probabilities), probabilities)
            self._log.image(f"calibration/{name}", plot, PIXELS, self._step)

    def _usable(self) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
        for event, (labels, probabilities) in self._outcomes().items():
            if len(labels) and labels.min() != labels.max():
                yield event, (labels, probabilities)

    def _write(self, name: str, labels: np.ndarray, probabilities: np.ndarray) -> None:
        for tag, value in {
            f"task_auc/{name}": auc(labels, probabilities),
            f"task_log_loss/{name}": log_loss(labels, probabilities),
            f"task_calibration/error_{name}": expected_calibration_error(labels, probabilities),
            f"task_calibration/predicted_over_observed_{name}": float(
                probabilities.mean() / labels.mean()
            ),
        }.items():
            self._log.scalar(tag, value, self._step)
        self._log.histogram(f"task_probability/{name}", thinned(probabilities), self._step)
        curve = pr_curve.pb(f"precision_recall/{name}", labels > 0, _spread(probabilities))
        self._log.summaries([curve], self._step)


def _spread(probabilities: np.ndarray) -> np.ndarray:
    """Returns the share of examples with a lower probability, float32 in [0, 1].

    The curves' thresholds are evenly spaced, and probabilities of rare events would all lie below
    the first of them. Ranks keep the order, and with it precision and recall.
    """
    ranks = np.searchsorted(np.sort(probabilities), probabilities, side="left")
    return (ranks / len(probabilities)).astype(np.float32)
