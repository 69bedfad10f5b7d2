"""The monitor passes everything on, says how a training ended, and knows what it costs."""

import pytest

from tests.monitoring.training.conftest import step, validation
from tests.monitoring.training.reading import scalars
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import TimeBudget, TrainingMonitor, View


class Recorder(View):
    def __init__(self):
        self.told = []

    def training_started(self, start):
        self.told.append("started")

    def step_taken(self, report):
        self.told.append(f"step {report.step}")

    def validated(self, report):
        self.told.append(f"validated {report.step}")

    def training_ended(self):
        self.told.append("ended")

    def finished(self, figures):
        self.told.append(f"finished {figures['ndcg']}")

    def failed(self):
        self.told.append("failed")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_views_are_told_everything(tmp_path, start):
    views = [Recorder(), Recorder()]
    with TrainingMonitor(EventLog(tmp_path), views) as monitor:
        monitor.training_started(start)
        monitor.step_taken(step(1))
        monitor.validated(validation(1))
        monitor.training_ended()
        monitor.finished({"ndcg": 0.5})
    told = ["started", "step 1", "validated 1", "ended", "finished 0.5"]
    assert [view.told for view in views] == [told, told]


def test_without_views_nothing_is_written(tmp_path, start):
    with TrainingMonitor(EventLog(tmp_path / "logs"), []) as monitor:
        monitor.training_started(start)
        monitor.step_taken(step(1))
        monitor.validated(validation(1))
        monitor.training_ended()
        monitor.finished({})
    assert not (tmp_path / "logs").exists()


def test_views_learn_of_a_failure_and_the_log_is_closed(tmp_path, start):
    log, view = EventLog(tmp_path), Recorder()
    with pytest.raises(ZeroDivisionError), TrainingMonitor(log, [view]) as monitor:
        monitor.training_started(start)
        raise ZeroDivisionError
    assert view.told == ["started", "failed"]
    assert not log.is_open


def test_a_failure_before_the_training(tmp_path):
    view = Recorder()
    with pytest.raises(ZeroDivisionError), TrainingMonitor(EventLog(tmp_path), [view]):
        raise ZeroDivisionError
    assert view.told == []
    assert not tmp_path.joinpath("logs").exists()


def test_share_of_the_time(tmp_path, start):
    clock = Clock()

    class Slow(View):
        def step_taken(self, report):
            clock.now += 3.0

    with TrainingMonitor(EventLog(tmp_path), [Slow()], clock) as monitor:
        monitor.training_started(start)
        clock.now += 27.0
        monitor.step_taken(step(1))
        monitor.validated(validation(1))
    assert scalars(tmp_path)["speed/share_of_monitoring"] == {1: pytest.approx(0.1)}


def test_budget():
    clock = Clock()
    budget = TimeBudget(0.1, clock)
    assert budget.allows(), "the first time is free"
    with budget.spending():
        clock.now += 5.0
    clock.now = 49.0
    assert not budget.allows()
    clock.now = 50.0
    assert budget.allows()
    with budget.spending():
        clock.now += 1.0
    assert not budget.allows()
