"""Measures what share of the training a model spends waiting for its next batch.

    python -m benchmarks.input_pipeline [--data DIR] [--config YAML] [--epochs 3] [--steps 100]

Without a data set the Online Retail sample is prepared first, and trained on as its configuration
says. "Input alone" reads the batches of an epoch with nothing else to do; "training" is the time
of the steps themselves; "waiting" is the time in which no batch was ready: at the start of an
epoch, and the median wait of every later step. Figures are medians over the epochs, because other
programs may be using the machine; they are only as good as the machine is idle.

The second table shows what batches of like lengths save: padding and time, beside batches of as
many windows drawn at random as the longest of them allow in the same memory.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tfrec
from tfrec.config import ExperimentConfig, load_config

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.models.retrieval import RetrievalModel

TrainStep = Callable[[dict[str, Any]], dict[str, Any]]
SAMPLE = Path(tfrec.__file__).parent / "data" / "sample" / "online_retail"
WARM_UP_STEPS = 5


@dataclass(frozen=True)
class Wait:
    """Where the seconds of a stretch of training went."""

    first: float
    later: float
    step: float


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Prepared data set.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration.")
@click.option("--epochs", default=3, help="Epochs to begin; the middle one counts.")
@click.option("--steps", default=100, help="Training steps an epoch; not all of them.")
def main(data: Path | None, config: Path | None, epochs: int, steps: int) -> None:
    settings = load_config(config or (SAMPLE / "config.yaml" if data is None else None))
    with tempfile.TemporaryDirectory() as folder:
        measure(data or prepare_sample(Path(folder) / "data", settings), settings, epochs, steps)


def prepare_sample(folder: Path, settings: ExperimentConfig) -> Path:
    from tfrec.data.prepare import prepare_dataset

    prepare_dataset(SAMPLE / "events.parquet", SAMPLE / "items.parquet", folder, settings.data)
    return folder


def measure(data: Path, settings: ExperimentConfig, epochs: int, steps: int) -> None:
    import tensorflow as tf

    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.input import InputOptions, training_batches
    from tfrec.training.optimizer import make_optimizer

    dataset = PreparedDataset.open(data)
    config = settings.retrieval
    options = InputOptions.of(config, settings.seed)
    model = untrained_model(dataset, settings)
    model.optimizer = make_optimizer(config.training)
    train_step = tf.function(model.train_step, reduce_retracing=True)

    # The first epoch also builds graphs that later ones use again.
    alone = [read(training_batches(dataset, options, epoch)) for epoch in range(epochs + 1)][1:]
    batches = alone[0].batches
    for batch in training_batches(dataset, options, 0).take(WARM_UP_STEPS):
        train_step(batch)
    waits = [
        train(train_step, partial(training_batches, dataset, options, epoch), steps)
        for epoch in range(1, epochs + 1)
    ]
    step = statistics.median(wait.step for wait in waits)
    first = statistics.median(wait.first for wait in waits)
    later = statistics.median(wait.later for wait in waits)
    waiting = first + later * (batches - 1)

    table = Table(title=f"Input of {data.name}: {batches} steps an epoch")
    for name in ("", "s an epoch", "ms a step", "share"):
        table.add_column(name, justify="left" if not name else "right")
    whole = waiting + step * batches
    input_alone = statistics.median(epoch.seconds for epoch in alone)
    for name, seconds in (
        ("input alone", input_alone),
        ("training", step * batches),
        ("waiting, first batch", first),
        ("waiting, later batches", later * (batches - 1)),
        ("waiting", waiting),
    ):
        share = "" if name == "input alone" else f"{seconds / whole:.1%}"
        table.add_row(name, f"{seconds:.2f}", f"{1000 * seconds / batches:.2f}", share)
    console = Console()
    console.print(table)

    table = Table(title="Batches of like lengths")
    for name in ("", "padding", "steps", "positions a step", "ms a step", "s an epoch"):
        table.add_column(name, justify="left" if not name else "right")
    for name, kind in (("by length", True), ("at random", False)):
        made = list(training_batches(dataset, options, 0))
        made = made if kind else at_random(made, config.training.batch_positions, settings.seed)
        padding, positions = padding_of(made)
        seconds = mean_step(train_step, made, steps)
        table.add_row(
            name,
            f"{padding:.1%}",
            str(len(made)),
            f"{positions / len(made):.0f}",
            f"{1000 * seconds:.1f}",
            f"{seconds * len(made):.1f}",
        )
    console.print(table)


def untrained_model(dataset: "PreparedDataset", settings: ExperimentConfig) -> "RetrievalModel":
    """The retrieval model of the configuration, over text vectors made up at random."""
    from tfrec.models.retrieval import RetrievalModel
    from tfrec.towers.catalogue import Catalogue
    from tfrec.towers.features import ItemFeatures
    from tfrec.towers.spec import DataSpec
    from tfrec.training.precision import training_precision
    from tfrec.training.retrieval import item_frequency

    random = np.random.default_rng(settings.seed)
    vectors = random.normal(size=(dataset.num_items, 384)).astype(np.float32)
    features = ItemFeatures.of(dataset, vectors)
    model = RetrievalModel(
        Catalogue(features),
        DataSpec.of(dataset, features),
        settings.retrieval,
        item_frequency(dataset),
        precision=training_precision(settings.retrieval.training),
    )
    model.item_tower.adapt(vectors, features.price[1:])
    model.build_weights()
    return model


@dataclass(frozen=True)
class Epoch:
    """An epoch read without training."""

    batches: int
    seconds: float


def read(batches: Iterable) -> Epoch:
    started = time.perf_counter()
    count = sum(1 for _ in batches)
    return Epoch(count, time.perf_counter() - started)


def train(train_step: TrainStep, make_batches: Callable[[], Iterable], steps: int) -> Wait:
    """Trains the first `steps` of an epoch as the training loop does."""
    waits, step_seconds = [], []
    mark = time.perf_counter()
    for batch in make_batches():
        ready = time.perf_counter()
        waits.append(ready - mark)
        train_step(batch)["loss"].numpy()
        mark = time.perf_counter()
        step_seconds.append(mark - ready)
        if len(waits) >= steps:
            break
    return Wait(waits[0], statistics.median(waits[1:]), statistics.mean(step_seconds))


def mean_step(train_step: TrainStep, batches: list, steps: int) -> float:
    """Seconds of a step, over batches spread evenly over the epoch."""
    chosen = batches[:: max(1, len(batches) // steps)]
    for batch in chosen[:WARM_UP_STEPS]:
        train_step(batch)
    seconds = []
    for batch in chosen:
        started = time.perf_counter()
        train_step(batch)["loss"].numpy()
        seconds.append(time.perf_counter() - started)
    return statistics.mean(seconds)


def padding_of(batches: list) -> tuple[float, int]:
    """The share of positions that hold no event, and the number of positions."""
    positions = sum(int(np.prod(batch["item"].shape)) for batch in batches)
    real = sum(int(np.count_nonzero(batch["item"])) for batch in batches)
    return 1 - real / positions, positions


def at_random(batches: list, batch_positions: int, seed: int) -> list:
    """The same windows in batches as large as memory for the longest of them allows."""
    import tensorflow as tf

    rows = [
        {name: values[row] for name, values in batch.items()}
        for batch in ({n: v.numpy() for n, v in batch.items()} for batch in batches)
        for row in range(len(batch["item"]))
    ]
    order = np.random.default_rng(seed).permutation(len(rows))
    widest = max(batch["item"].shape[1] for batch in batches)
    size = max(1, batch_positions // widest)
    made = []
    for start in range(0, len(rows), size):
        chosen = [rows[place] for place in order[start : start + size]]
        lengths = [int(np.count_nonzero(row["item"])) for row in chosen]
        width = max(lengths)
        made.append(
            {
                name: tf.constant(
                    np.stack(
                        [
                            np.pad(row[name][:width], (0, max(0, width - len(row[name]))))
                            for row in chosen
                        ]
                    )
                )
                for name in chosen[0]
            }
        )
    return made


if __name__ == "__main__":
    main()
