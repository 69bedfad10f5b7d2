"""The progress of a training, in the record of its run."""

from typing import Any

from tfrec.monitoring.training.observer import TrainingObserver, ValidationReport
from tfrec.training.run import RunDirectory


class RunProgress(TrainingObserver):
    """Records every validation, so that `tfrec runs` can say how far a training is, or was.

    Args:
        run: the folder of the model that is trained.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def validated(self, report: ValidationReport) -> None:
        """Records the epoch, the best one, and the best scores."""
        progress: dict[str, Any] = {"epoch": report.epoch, "step": report.step}
        if report.is_best:
            progress |= {"best_epoch": report.epoch, "best": dict(report.scores)}
        self._run.update(progress=progress)
