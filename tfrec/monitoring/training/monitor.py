"""All views of one training, behind one observer."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.observer import (
    StepReport,
    TrainingObserver,
    TrainingStart,
    ValidationReport,
)


class View(TrainingObserver):
    """An observer that writes into an event log, and may have a last word."""

    def finished(self, figures: Mapping[str, float]) -> None:
        """Called when what follows the training, such as calibration, is done.

        Args:
            figures: the final metrics of the model.
        """

    def failed(self) -> None:
        """Called when the training ended with an exception."""


class TrainingMonitor(TrainingObserver):
    """Opens the event log, tells every view what happens, and closes the log.

    Without views nothing is written.

    As a context manager it says to the views whether the training failed. What the views cost is
    measured, and written as the share of the time since the start.

    Args:
        log: where the views write.
        views: the views.
        clock: returns seconds.
    """

    def __init__(
        self,
        log: EventLog,
        views: Sequence[View],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._views = views
        self._clock = clock
        self._started = clock()
        self._spent = 0.0

    def training_started(self, start: TrainingStart) -> None:
        """Opens the log where the training goes on."""
        self._started = self._clock()
        with self._timed():
            if self._views:
                self._log.open(start.step)
            for view in self._views:
                view.training_started(start)

    def step_taken(self, report: StepReport) -> None:
        """Passes the step on."""
        with self._timed():
            for view in self._views:
                view.step_taken(report)

    def validated(self, report: ValidationReport) -> None:
        """Passes the validation on, and makes everything so far visible."""
        with self._timed():
            for view in self._views:
                view.validated(report)
        if self._log.is_open:
            elapsed = max(self._clock() - self._started, 1e-9)
            self._log.scalar("speed/share_of_monitoring", self._spent / elapsed, report.step)
            self._log.flush()

    def training_ended(self) -> None:
        """Passes it on."""
        with self._timed():
            for view in self._views:
                view.training_ended()

    def finished(self, figures: Mapping[str, float]) -> None:
        """Gives the views their last word.

        Args:
            figures: the final metrics of the model.
        """
        for view in self._views:
            view.finished(figures)

    def __enter__(self) -> "TrainingMonitor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._log.is_open:
            for view in self._views:
                view.failed()
        self._log.close()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        before = self._clock()
        yield
        self._spent += self._clock() - before


class TimeBudget:
    """Keeps what is dear to a share of the time that has passed.

    Args:
        share: of the time since the first question.
        clock: returns seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._started: float | None = None
        self._spent = 0.0

    def allows(self) -> bool:
        """Whether something may be spent now; always the first time."""
        now = self._clock()
        if self._started is None:
            self._started = now
        return self._spent <= self._share * (now - self._started)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Counts the time of the block."""
        before = self._clock()
        yield
        self._spent += self._clock() - before
