"""An open event log, and the reports that views get."""

import pytest

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.observer import StepReport, TrainingStart, ValidationReport


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path / "logs")
    log.open(0)
    yield log
    log.close()


@pytest.fixture
def start():
    return TrainingStart(0, lambda: 0.25, {}, lambda batch: None)


def validation(step=10, epoch=1, best=True, **scores):
    return ValidationReport(step, epoch, scores or {"ndcg@10": 0.5}, best, 1.5)


def step(number, loss=1.0, seconds=0.1, wait=0.0, **figures):
    return StepReport(number, {"x": [0, 0, 0]}, {"loss": loss, **figures}, seconds, wait)
