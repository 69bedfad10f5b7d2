"""The view of the validation: its scores, its slices, and the lists that shoppers would see."""

import math
from collections.abc import Callable, Mapping, Sequence

from tfrec.evaluation.result import Result
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import ValidationReport

SLICE_METRICS = ("ndcg@10", "recall@10")
LIST_METRICS = ("coverage@10", "gini@10", "novelty@10")


class ValidationView(View):
    """Writes the figures of every validation, and the final ones.

    The slices come from the results that the validation has computed anyway.

    Args:
        log: where to write.
        results: returns what the last validation measured, one result a way of counting repeats.
    """

    def __init__(self, log: EventLog, results: Callable[[], Sequence[Result]]) -> None:
        self._log = log
        self._results = results
        self._step = 0

    def validated(self, report: ValidationReport) -> None:
        """Writes ``validation/…``, ``slices/…`` and ``lists/…``."""
        self._step = report.step
        for name, value in report.scores.items():
            self._write(f"validation/{name.replace('/', '_')}", value)
        self._write("validation/epoch", report.epoch)
        for result in self._results():
            mode = {"count": "with_repeats", "exclude": "new_to_shopper"}[result.repeats]
            for metric in LIST_METRICS:
                self._write(f"lists_{mode}/{metric}", result.metrics.get(metric))
            for name, part in result.slices.items():
                for metric in SLICE_METRICS:
                    tag = f"slices_{mode}/{metric}/{name.replace(' ', '_')}"
                    self._write(tag, part.metrics.get(metric))

    def finished(self, figures: Mapping[str, float]) -> None:
        """Writes ``final/…``."""
        for name, value in figures.items():
            self._write(f"final/{name}", value)

    def _write(self, tag: str, value: float | None) -> None:
        if value is not None and not math.isnan(value):
            self._log.scalar(tag, value, self._step)
