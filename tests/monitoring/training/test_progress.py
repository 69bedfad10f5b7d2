"""Points of the training curves: means over the steps, speed, waiting."""

import pytest

from tests.monitoring.training.conftest import step, validation
from tests.monitoring.training.reading import scalars
from tfrec.monitoring.training.progress import ProgressView


@pytest.fixture
def view(log, start):
    view = ProgressView(log, lambda batch: len(batch["x"]), every=2)
    view.training_started(start)
    return view


def test_every_point_is_the_mean_since_the_last_one(log, view):
    losses = [4.0, 2.0, 1.0, 0.0, 5.0]
    for number, loss in enumerate(losses, start=1):
        parts = {"loss/list": loss / 2, "gradient_norm": 1.0, "gradient_norm/tower": 3.0}
        view.step_taken(step(number, loss, **parts))
    log.close()
    found = scalars(log.folder)
    assert found["loss/all"] == {2: 3.0, 4: 0.5}
    assert found["loss/list"] == {2: 1.5, 4: 0.25}
    assert found["gradient_norm/all"] == {2: 1.0, 4: 1.0}
    assert found["gradient_norm/tower"] == {2: 3.0, 4: 3.0}
    assert found["optimiser/learning_rate"] == {2: 0.25, 4: 0.25}


def test_speed_and_waiting(log, view):
    view.step_taken(step(1, seconds=1.5, wait=1.0))
    view.step_taken(step(2, seconds=0.5, wait=0.0))
    log.close()
    found = scalars(log.folder)
    assert found["speed/steps_per_second"] == {2: 1.0}
    assert found["speed/examples_per_second"] == {2: 3.0}  # Two batches of three.
    assert found["speed/input_wait_share"] == {2: 0.5}
    assert found["speed/memory_mib"][2] > 10


def test_what_is_left_at_a_validation_makes_a_point(log, view):
    view.step_taken(step(1, 8.0))
    view.validated(validation(1))
    view.validated(validation(1))
    log.close()
    found = scalars(log.folder)
    assert found["loss/all"] == {1: 8.0}
    assert found["speed/validation_seconds"] == {1: 1.5}


def test_a_resumed_training_has_its_points_at_the_same_steps(log, view):
    for number in (1003, 1004):
        view.step_taken(step(number))
    log.close()
    assert set(scalars(log.folder)["loss/all"]) == {1004}
