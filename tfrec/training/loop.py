"""The training loop of both models: resumes after a kill, stops early, keeps the best weights."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.config import TrainingConfig
from tfrec.errors import UserError
from tfrec.models.graphs import OpenGraph
from tfrec.monitoring.training.observer import (
    StepReport,
    TrainingObserver,
    TrainingStart,
    ValidationReport,
)
from tfrec.progress import progress, write_line
from tfrec.training.adversarial import make_adversary
from tfrec.training.averaging import WeightAverage
from tfrec.training.optimizer import make_optimizer
from tfrec.training.step import make_train_step, trained_variables

SECONDS_BETWEEN_CHECKPOINTS = 60.0
LAST = "last"
"""Folder of the checkpoint that a training goes on from."""


@dataclasses.dataclass(frozen=True)
class TrainingSummary:
    """What a finished training run was like.

    Attributes:
        epochs: epochs trained, those before a resume included.
        best_epoch: epoch, from 1, whose weights were kept.
        best_score: its validation score; NaN where nothing was validated.
        seconds: wall time of training and validation, over all resumes.
        steps: optimiser steps.
        input_wait: share of the training time spent waiting for the next batch.
    """

    epochs: int
    best_epoch: int
    best_score: float
    seconds: float
    steps: int
    input_wait: float

    def facts(self) -> dict[str, Any]:
        """Returns the figures for the run's record."""
        score = None if math.isnan(self.best_score) else self.best_score
        return {"training": {**dataclasses.asdict(self), "best_score": score}}

    def sentence(self) -> str:
        """Says how the training went."""
        return (
            f"{self.epochs} epochs in {self.seconds / 60:.1f} minutes, best validation NDCG@10 "
            f"{self.best_score:.4f} after epoch {self.best_epoch}"
        )


class TrainingLoop:
    """Trains a TFRS model epoch by epoch.

    A checkpoint of weights, optimiser and position is written at the end of every epoch and every
    minute; `run` continues from the last one. After each epoch `validate` scores the model; the
    best weights are kept in `folder/best` and loaded at the end. Where the configuration asks for
    it, the weights that are validated and kept are moving averages of those that are trained. It
    ends once `patience` epochs have come after the best of those trained.

    Args:
        model: a compiled-free `tfrs.models.Model`; the loop makes its optimiser.
        parts: the parts of the model that hold trained weights, by name.
        batches: returns the batches of an epoch (from 0) from which the first `skip` are left out.
        validate: returns the validation score of the model as it is, higher is better; None to
            train all epochs and keep the last weights.
        config: epochs, learning rate, patience.
        folder: run folder for checkpoints.
        description: name on the progress bar.
        steps: returns the number of batches of an epoch, for the time left of the first one; those
            after it are taken to be as long as the one before.
        observers: are told of every step and every validation.
        learning_rates: learning rates of parts, by name, that differ from the configuration's.
    """

    def __init__(
        self,
        model: tf.keras.Model,
        parts: dict[str, Any],
        batches: Callable[[int, int], Iterable[Any]],
        validate: Callable[[], dict[str, float]] | None,
        config: TrainingConfig,
        folder: Path,
        description: str,
        steps: Callable[[int], int] | None = None,
        observers: Sequence[TrainingObserver] = (),
        learning_rates: Mapping[str, float] | None = None,
    ) -> None:
        self._observers = observers
        self._parts = parts
        self._batches = batches
        self._validate = validate
        self._config = config
        self._description = description
        self._steps = steps
        self._optimizer = make_optimizer(config, trained_variables(parts), learning_rates)
        self._average = (
            WeightAverage(model.trainable_variables, config.average_decay)
            if config.average_decay
            else None
        )
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._step_in_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._steps_per_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._best_score = tf.Variable(-1.0, dtype=tf.float64, trainable=False)
        self._best_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Of epochs that were trained: what patience waits for.
        self._trained_score = tf.Variable(-1.0, dtype=tf.float64, trainable=False)
        self._trained_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._train_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._wait_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        state = tf.train.Checkpoint(
            **parts,
            optimizer=self._optimizer,
            epoch=self._epoch,
            step_in_epoch=self._step_in_epoch,
            steps_per_epoch=self._steps_per_epoch,
            best_score=self._best_score,
            best_epoch=self._best_epoch,
            trained_score=self._trained_score,
            trained_epoch=self._trained_epoch,
            seconds=self._seconds,
            train_seconds=self._train_seconds,
            wait_seconds=self._wait_seconds,
            **({} if self._average is None else {"average": self._average}),
        )
        self._last = tf.train.CheckpointManager(state, str(folder / LAST), max_to_keep=1)
        self._best = tf.train.CheckpointManager(
            tf.train.Checkpoint(**parts), str(folder / "best"), max_to_keep=1
        )
        self._train_step = make_train_step(model, self._optimizer, parts)
        adversary = make_adversary(config, trained_variables(parts), description)
        self._adversarial_step = (
            make_train_step(model, self._optimizer, parts, adversary) if adversary else None
        )

    def run(self) -> TrainingSummary:
        """Trains to the end, from the last checkpoint if there is one.

        Raises:
            UserError: if an epoch has no batch, or the loss is no longer a number.
        """
        self._last.restore_or_initialize()
        start = self._start()
        for observer in self._observers:
            observer.training_started(start)
        if self._validate is not None and float(self._best_score) < 0:
            self._end_epoch(0)
        while not self._finished():
            self._run_epoch()
            self._end_epoch(int(self._epoch) + 1)
            self._epoch.assign_add(1)
            self._step_in_epoch.assign(0)
            self._last.save()
        # Before the best weights come back: they may bring an optimiser of their own.
        steps = int(self._optimizer.iterations)
        self._best.restore_or_initialize()
        for observer in self._observers:
            observer.training_ended()
        return TrainingSummary(
            epochs=int(self._epoch),
            best_epoch=int(self._best_epoch),
            best_score=math.nan if self._validate is None else float(self._best_score),
            seconds=float(self._seconds),
            steps=steps,
            input_wait=float(self._wait_seconds) / max(float(self._train_seconds), 1e-9),
        )

    def _start(self) -> TrainingStart:
        return TrainingStart(
            step=int(self._optimizer.iterations),
            learning_rate=lambda: float(self._optimizer.learning_rate),
            weights=trained_variables(self._parts),
            graph=lambda batch: self._step().traced(batch).graph,
        )

    def _step(self) -> OpenGraph:
        """Returns the step of the epoch that is trained."""
        if self._adversarial_step is None or int(self._epoch) < self._config.adversarial_start:
            return self._train_step
        return self._adversarial_step

    def _finished(self) -> bool:
        epoch, config = int(self._epoch), self._config
        # A model that begins with what texts or another model know gets worse before it gets
        # better, so the score that it begins with is no reason to stop.
        last = max(int(self._trained_epoch), int(self._best_epoch))
        stale = epoch > 0 and epoch - last >= config.patience
        return epoch >= config.epochs or stale or self._out_of_time()

    def _out_of_time(self) -> bool:
        minutes = self._config.max_minutes
        return minutes is not None and float(self._seconds) >= minutes * 60

    def _run_epoch(self) -> None:
        epoch, skipped = int(self._epoch), int(self._step_in_epoch)
        total = int(self._steps_per_epoch) or (self._steps(epoch) if self._steps else None)
        bar = progress(
            description=f"{self._description} epoch {epoch + 1}/{self._config.epochs}",
            total=total,
            unit="step",
        )
        bar.update(skipped)
        mark = saved = time.monotonic()
        for batch in self._batches(epoch, skipped):
            ready = time.monotonic()
            self._wait_seconds.assign_add(ready - mark)
            # A marker for the profiler, which costs nothing where no trace is taken.
            with tf.profiler.experimental.Trace(
                "train", step_num=int(self._optimizer.iterations), _r=1
            ):
                figures = self._step()(batch)
            if self._average is not None:
                self._average.update()
            self._step_in_epoch.assign_add(1)
            step = int(self._optimizer.iterations)
            if step % 20 == 0:
                loss = float(figures["loss"])
                self._check_loss(loss)
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            bar.update(1)
            report = StepReport(step, batch, figures, time.monotonic() - mark, ready - mark)
            for observer in self._observers:
                observer.step_taken(report)
            now = time.monotonic()
            self._seconds.assign_add(now - mark)
            self._train_seconds.assign_add(now - mark)
            mark = now
            if self._out_of_time():
                break
            if now - saved > SECONDS_BETWEEN_CHECKPOINTS:
                self._last.save()
                mark = saved = time.monotonic()
        bar.close()
        if int(self._step_in_epoch) == 0:
            raise UserError(
                f"{self._description}: there is nothing to train on; the training split holds no "
                "example (see the counts in the data set's dataset.json)"
            )
        self._steps_per_epoch.assign(self._step_in_epoch)

    def _check_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise UserError(
                f"{self._description}: the loss became {loss} in epoch {int(self._epoch) + 1}; "
                f"lower training.learning_rate ({self._config.learning_rate})"
            )

    def _end_epoch(self, epoch: int) -> None:
        with contextlib.nullcontext() if self._average is None else self._average.lent():
            if self._validate is None:
                self._keep(epoch)
            else:
                self._validate_and_keep(epoch, self._validate)

    def _keep(self, epoch: int) -> None:
        self._best_epoch.assign(epoch)
        # A number of its own, so that no file of an earlier best is written over.
        self._best.save(checkpoint_number=epoch)

    def _validate_and_keep(self, epoch: int, validate: Callable[[], dict[str, float]]) -> None:
        started = time.monotonic()
        scores = validate()
        score = next(iter(scores.values()))
        is_best = score > float(self._best_score)
        report = ValidationReport(
            step=int(self._optimizer.iterations),
            epoch=epoch,
            scores=scores,
            is_best=is_best,
            seconds=time.monotonic() - started,
        )
        for observer in self._observers:
            observer.validated(report)
        if epoch > 0 and score > float(self._trained_score):
            self._trained_score.assign(score)
            self._trained_epoch.assign(epoch)
        if is_best:
            self._best_score.assign(score)
            self._keep(epoch)
        self._seconds.assign_add(time.monotonic() - started)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
        write_line(f"{self._description} epoch {epoch}: {shown}")
