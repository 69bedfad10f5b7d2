"""The training loop: stops when it should, keeps the best weights, and goes on after a kill."""

from itertools import count

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import TrainingConfig
from tfrec.errors import UserError
from tfrec.monitoring.training.observer import TrainingObserver
from tfrec.training import loop as loop_module
from tfrec.training.loop import TrainingLoop
from tfrec.training.optimizer import make_optimizer

STEPS = 6


class Line(tfrs.models.Model):
    """A straight line, fitted to points."""

    def __init__(self):
        super().__init__()
        self.dense = tf.keras.layers.Dense(1, kernel_initializer="ones")
        self.dense.build([None, 1])

    def compute_loss(self, inputs, training=False):
        return tf.reduce_mean((self.dense(inputs["x"]) - inputs["y"]) ** 2)

    @property
    def slope(self):
        return float(self.dense.kernel[0, 0])


def points(epoch, skip=0, steps=STEPS):
    """Batches of points near y = 3 x, other ones every epoch."""
    random = np.random.default_rng(epoch)
    x = random.normal(size=(steps, 4, 1)).astype(np.float32)
    y = 3 * x + random.normal(size=x.shape, scale=0.1).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices({"x": x, "y": y}).skip(skip)


class Training:
    """A loop over `Line`, with validation scores given in advance."""

    def __init__(self, folder, scores=None, batches=points, observers=(), **config):
        self.model = Line()
        self.scores = count(1) if scores is None else iter(scores)
        self.slopes = []
        settings = {"epochs": 4, "learning_rate": 0.05, "patience": 2, **config}
        self.loop = TrainingLoop(
            self.model,
            {"dense": self.model.dense},
            batches,
            self.validate,
            TrainingConfig(**settings),
            folder,
            "Line",
            observers=observers,
        )

    def validate(self):
        self.slopes.append(self.model.slope)
        return {"ndcg@10": float(next(self.scores)), "recall@10": 0.5}

    def run(self):
        return self.loop.run()


def test_trains_every_epoch_while_the_score_rises(tmp_path):
    training = Training(tmp_path)
    summary = training.run()
    assert (summary.epochs, summary.best_epoch, summary.steps) == (4, 4, 4 * STEPS)
    assert summary.best_score == 5.0  # The first of the five was before the training.
    assert training.model.slope == training.slopes[-1] > 1.5
    assert summary.seconds > 0 and 0 <= summary.input_wait <= 1
    assert summary.facts()["training"]["steps"] == 4 * STEPS
    assert "best validation NDCG@10 5.0000 after epoch 4" in summary.sentence()


def test_stops_after_patience_and_brings_the_best_weights_back(tmp_path):
    training = Training(tmp_path, scores=[0.1, 0.2, 0.4, 0.3, 0.4, 0.9], epochs=10)
    summary = training.run()
    assert (summary.epochs, summary.best_epoch, summary.best_score) == (4, 2, 0.4)
    assert len(set(training.slopes)) == 5
    assert training.model.slope == training.slopes[2]
    assert summary.steps == 4 * STEPS


def test_training_that_only_harms_keeps_the_weights_it_began_with(tmp_path):
    training = Training(tmp_path, scores=[0.5, 0.4, 0.3, 0.4], epochs=10)
    summary = training.run()
    assert (summary.epochs, summary.best_epoch, summary.best_score) == (3, 0, 0.5)
    assert training.model.slope == training.slopes[0] == 1.0


def test_a_good_start_does_not_end_a_training_that_gets_better(tmp_path):
    training = Training(tmp_path, scores=[0.5, 0.1, 0.2, 0.3, 0.6, 0.5, 0.4], epochs=10)
    summary = training.run()
    assert (summary.epochs, summary.best_epoch, summary.best_score) == (6, 4, 0.6)


def test_without_validation_the_last_weights_are_kept(tmp_path):
    training = Training(tmp_path, average_decay=0.5)
    training.loop._validate = None
    summary = training.run()
    assert (summary.epochs, summary.best_epoch, summary.steps) == (4, 4, 4 * STEPS)
    assert summary.facts()["training"]["best_score"] is None
    kept = tf.train.Checkpoint(dense=training.model.dense)
    first = training.model.slope
    kept.restore(tf.train.latest_checkpoint(str(tmp_path / "best"))).expect_partial()
    assert training.model.slope == first > 1.2
    assert not training.slopes


class KilledError(Exception):
    pass


@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (2, 0), (3, STEPS - 1)])
def test_a_killed_training_goes_on_to_the_same_end(tmp_path, monkeypatch, epoch, step):
    """With checkpoints at every step, nothing is lost: Adam's moments included."""
    monkeypatch.setattr(loop_module, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    whole = Training(tmp_path / "whole")
    expected = whole.run()

    def batches(number, skip):
        if number != epoch:
            yield from points(number, skip)
            return
        yield from points(number, skip).take(step)
        raise KilledError

    with pytest.raises(KilledError):
        Training(tmp_path / "killed", batches=batches).run()

    asked = []

    def recorded(number, skip):
        asked.append((number, skip))
        return points(number, skip)

    again = Training(tmp_path / "killed", scores=range(epoch + 2, 9), batches=recorded)
    summary = again.run()
    assert asked[0] == (epoch, step)
    assert summary.steps == expected.steps
    assert (summary.epochs, summary.best_epoch) == (4, 4)
    assert again.model.slope == whole.model.slope
    assert again.slopes == whole.slopes[epoch + 1 :]


def test_a_training_killed_in_validation_repeats_the_epoch(tmp_path):
    def scores():
        yield from (0.1, 0.2)
        raise KilledError

    whole = Training(tmp_path / "whole")
    whole.run()
    with pytest.raises(KilledError):
        Training(tmp_path / "killed", scores=scores()).run()
    again = Training(tmp_path / "killed", scores=[0.3, 0.4, 0.5])
    summary = again.run()
    assert summary.epochs == 4 and summary.steps == 4 * STEPS
    assert again.model.slope == whole.model.slope


def test_a_finished_training_does_not_begin_again(tmp_path):
    first = Training(tmp_path, scores=[0.1, 0.2, 0.4, 0.3, 0.3])
    expected = first.run()

    def none(epoch, skip):
        raise AssertionError("nothing is left to train")

    again = Training(tmp_path, scores=[], batches=none)
    summary = again.run()
    assert again.model.slope == first.model.slope
    assert (summary.epochs, summary.best_epoch, summary.steps) == (4, 2, expected.steps)
    assert summary.seconds == pytest.approx(expected.seconds)


def test_more_epochs_train_on_from_the_last_one(tmp_path):
    Training(tmp_path / "one", epochs=2).run()
    more = Training(tmp_path / "one", scores=range(4, 9), epochs=4)
    whole = Training(tmp_path / "whole", epochs=4)
    assert more.run().steps == whole.run().steps == 4 * STEPS
    assert more.model.slope == whole.model.slope


def test_stops_in_the_middle_of_an_epoch_when_time_is_up(tmp_path, monkeypatch):
    clock = count(0, 1)
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: float(next(clock)))

    def endless(epoch, skip):
        return points(epoch, skip, steps=10_000)

    training = Training(tmp_path, batches=endless, max_minutes=0.5)
    summary = training.run()
    assert summary.epochs == 1
    assert 5 < summary.steps < 31, "a second passes at every look at the clock"
    assert summary.seconds == pytest.approx(30, abs=5)
    assert training.model.slope == training.slopes[-1]


def test_share_of_waiting(tmp_path, monkeypatch):
    now = 0.0

    def slow_batches(epoch, skip):
        nonlocal now
        for batch in points(epoch, skip):
            now += 3.0
            yield batch

    training = Training(tmp_path, batches=slow_batches, epochs=1)
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: now)
    step, validate = training.loop._train_step, training.validate

    def slow_step(batch):
        nonlocal now
        now += 1.0
        return step(batch)

    def slow_validate():
        nonlocal now
        now += 100.0
        return validate()

    training.loop._train_step, training.loop._validate = slow_step, slow_validate
    summary = training.run()
    assert summary.input_wait == pytest.approx(0.75)
    assert summary.seconds == pytest.approx(4 * STEPS + 200)


def test_nothing_to_train_on(tmp_path):
    training = Training(tmp_path, batches=lambda epoch, skip: points(epoch, steps=0))
    with pytest.raises(UserError, match=r"^Line: there is nothing to train on; .* no example"):
        training.run()


def test_a_loss_that_is_no_number(tmp_path):
    def broken(epoch, skip):
        return points(epoch, skip, 25).map(lambda batch: batch | {"y": batch["y"] * np.inf})

    with pytest.raises(UserError, match=r"^Line: the loss became .* in epoch 1; lower .*0\.05"):
        Training(tmp_path, batches=broken).run()


class Recorder(TrainingObserver):
    """Keeps everything that it is told."""

    def __init__(self):
        self.told = []

    def training_started(self, start):
        self.start = start
        self.told.append(("started", start.step))

    def step_taken(self, report):
        self.last = report
        self.told.append(("step", report.step))

    def validated(self, report):
        self.told.append(("validated", report.step, report.epoch, report.is_best))

    def training_ended(self):
        self.told.append(("ended",))


def test_observers_are_told_of_everything_in_order(tmp_path):
    recorder = Recorder()
    scores = [0.1, 0.3, 0.2]
    Training(tmp_path, scores=scores, epochs=2, observers=[recorder]).run()
    assert recorder.told == [
        ("started", 0),
        ("validated", 0, 0, True),
        *[("step", step) for step in range(1, 7)],
        ("validated", 6, 1, True),
        *[("step", step) for step in range(7, 13)],
        ("validated", 12, 2, False),
        ("ended",),
    ]
    report = recorder.last
    assert set(report.figures) == {"loss", "gradient_norm", "gradient_norm/dense"}
    assert 0 <= report.wait_seconds <= report.seconds
    assert recorder.start.learning_rate() == pytest.approx(0.05)
    assert [v.shape for v in recorder.start.weights["dense"]] == [(1, 1), (1,)]
    assert len(recorder.start.graph(report.batch).get_operations()) > 10


def test_observers_learn_where_a_training_goes_on(tmp_path):
    Training(tmp_path, epochs=2).run()
    recorder = Recorder()
    more = Training(tmp_path, scores=range(4, 9), epochs=3, observers=[recorder])
    more.run()
    assert recorder.told[:2] == [("started", 12), ("step", 13)]


def test_waiting_of_observers_is_no_waiting_for_input(tmp_path, monkeypatch):
    now = 0.0

    class Slow(TrainingObserver):
        def step_taken(self, report):
            nonlocal now
            now += 5.0

    training = Training(tmp_path, epochs=1, observers=[Slow()])
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: now)
    summary = training.run()
    assert summary.input_wait == 0
    assert summary.seconds == pytest.approx(5 * STEPS)


def test_averages_are_validated_and_kept(tmp_path):
    plain, averaged = Training(tmp_path / "plain"), Training(tmp_path / "other", average_decay=0.9)
    plain.run()
    averaged.run()
    # From a slope of 1 up to 3: the average lags behind, and it is what remains.
    assert averaged.slopes[0] == plain.slopes[0] == 1.0
    for slope, weights in zip(averaged.slopes[1:], plain.slopes[1:], strict=True):
        assert 1.0 < slope < weights
    assert averaged.model.slope == averaged.slopes[-1]


def test_a_killed_training_keeps_its_average(tmp_path):
    whole = Training(tmp_path / "whole", average_decay=0.9)
    whole.run()
    first = Training(tmp_path / "parts", average_decay=0.9, epochs=2)
    first.run()
    second = Training(tmp_path / "parts", average_decay=0.9, scores=[9, 10])
    second.run()
    assert second.slopes == pytest.approx(whole.slopes[-2:])


ADVERSARIAL = {"adversarial": "awp", "adversarial_epsilon": 0.3, "adversarial_start": 2}


def test_adversarial_epochs_begin_where_they_are_asked_to(tmp_path):
    plain, other = Training(tmp_path / "plain"), Training(tmp_path / "other", **ADVERSARIAL)
    plain.run()
    other.run()
    assert other.slopes[:3] == plain.slopes[:3], "before the training, and after two epochs"
    assert other.slopes[3] != plain.slopes[3] and other.slopes[4] != plain.slopes[4]


def test_a_stopped_adversarial_training_goes_on_to_the_same_end(tmp_path):
    settings = {**ADVERSARIAL, "adversarial_start": 1, "average_decay": 0.5}
    whole = Training(tmp_path / "whole", **settings)
    whole.run()
    Training(tmp_path / "parts", epochs=2, **settings).run()
    second = Training(tmp_path / "parts", scores=[9, 10], **settings)
    second.run()
    assert second.slopes == pytest.approx(whole.slopes[-2:])


def test_weight_decay_is_adamw():
    assert type(make_optimizer(TrainingConfig())).__name__ == "Adam"
    decaying = make_optimizer(TrainingConfig(weight_decay=0.01, learning_rate=0.5))
    assert type(decaying).__name__ == "AdamW" and decaying.weight_decay == 0.01
    assert float(decaying.learning_rate) == 0.5
