"""Measures what the TensorBoard views of a training cost.

    python -m benchmarks.monitoring_overhead --run RUN [--data DIR] [--epochs 2] [--pairs 3]

RUN is a finished run of `tfrec train`; both of its models are trained again for a few epochs, in
pairs with and without the views. Shown are medians (and ranges) of the pairs' ratios, of wall time
and of the processor time of all threads, and the median share of the time that the monitor itself
has spent in its views. The ratios are only as good as the machine is idle; the share is good
anyway, as the views work in the thread of the training. Timed is everything from the first step to
the last validation, what the views do at the end included.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
from rich.console import Console
from rich.table import Table

from tfrec.config import ExperimentConfig, change_config

MODELS = ("retrieval", "ranking")


@dataclass
class Times:
    """Seconds of a training."""

    wall: float = 0.0
    processor: float = 0.0
    views: float = 0.0


@click.command()
@click.option("--run", "run_folder", required=True, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="The data set, if it has moved.")
@click.option("--epochs", default=2, help="Epochs of every retrieval training.")
@click.option("--ranking-epochs", default=10, help="Epochs of every ranking training.")
@click.option("--pairs", default=3, help="Pairs of trainings of each model.")
@click.option("--model", "models", multiple=True, type=click.Choice(MODELS), default=MODELS)
def main(
    run_folder: Path,
    data: Path | None,
    epochs: int,
    ranking_epochs: int,
    pairs: int,
    models: tuple[str, ...],
) -> None:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.training.run import RunDirectory

    table = Table(title="Cost of the TensorBoard views: with them / without")
    for name in ("model", "epochs", "pairs", "wall time", "processor time", "in the views"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for model in models:
        run = RunDirectory.open(run_folder, model)
        dataset = PreparedDataset.open(data or run.dataset_path)
        count = epochs if model == "retrieval" else ranking_epochs
        settings = {f"{model}.training.{key}": count for key in ("epochs", "patience")}
        config = change_config(run.config, settings)
        found = []
        for pair in range(pairs):
            # Either comes first in turn, so that a machine that slows down favours neither.
            order = (True, False) if pair % 2 else (False, True)
            times = {
                with_views: train(model, run, dataset, config, with_views) for with_views in order
            }
            found.append((times[True], times[False]))
        table.add_row(
            model,
            str(count),
            str(pairs),
            *(
                _ratios([getattr(a, kind) / getattr(b, kind) for a, b in found])
                for kind in ("wall", "processor")
            ),
            f"{statistics.median(a.views / a.wall for a, _ in found):.1%}",
        )
    Console().print(table)


def _ratios(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"


def train(model: str, run: Any, dataset: Any, config: ExperimentConfig, with_views: bool) -> Times:
    """Trains one model in a folder that is thrown away."""
    from tfrec.training import ranking, retrieval
    from tfrec.training.run import RunDirectory

    config = change_config(config, {f"{model}.training.tensorboard": with_views})
    with tempfile.TemporaryDirectory() as folder:
        new = RunDirectory.create(folder, model, config, dataset.path, dataset.checksum, run.seed)
        if model == "retrieval":
            with timed() as times:
                retrieval.train_retrieval(dataset, new, config)
            return times
        first = RunDirectory.open(run.path.parent, "retrieval")
        stage = retrieval.load_retrieval(first.path, first.config, dataset.items)
        for name in ("lists", "features.json"):
            source = run.path / name
            if source.is_dir():
                shutil.copytree(source, new.path / name)
            else:
                shutil.copy(source, new.path / name)
        with timed() as times:
            ranking.train_ranking(dataset, stage, new, config)
        return times


@contextmanager
def timed() -> Iterator[Times]:
    """Times the training loop, and nothing before or after it."""
    from tfrec.monitoring.training.monitor import TrainingMonitor
    from tfrec.training.loop import TrainingLoop, TrainingSummary

    times, plain = Times(), TrainingLoop.run
    count = TrainingMonitor._timed

    @contextmanager
    def counted(monitor: TrainingMonitor) -> Iterator[None]:
        before = time.perf_counter()
        with count(monitor):
            yield
        times.views += time.perf_counter() - before

    def run(loop: TrainingLoop) -> TrainingSummary:
        wall, processor = time.perf_counter(), time.process_time()
        summary = plain(loop)
        times.wall = time.perf_counter() - wall
        times.processor = time.process_time() - processor
        return summary

    with (
        patch.object(TrainingLoop, "run", run),
        patch.object(TrainingMonitor, "_timed", counted),
    ):
        yield times


if __name__ == "__main__":
    main()
