"""Prints what the reasons add to the time of an answer, in this process.

    python -m benchmarks.reason_latency --run RUN [--data DATA] [--rounds 200]

The graph of the `recommender` is traced as it is exported, and once more without the outputs of
the reasons, so that nothing computes them. Both answer the same histories of test shoppers in
turns, one shopper a call; what is printed is processor and wall time.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tfrec  # noqa: F401  (decides which Keras TensorFlow gets)
from benchmarks.measuring import run_options
from tfrec.export.exporter import exportable_of
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_models import ServedModels
from tfrec.progress import progress
from tfrec.towers.bert.weights import find_weights
from tfrec.training.loading import TrainedRun

import tensorflow as tf  # isort: skip

WARM_UP = 10
REASONS = "reason_"


@click.command()
@run_options
@click.option("--rounds", default=200, show_default=True)
@click.option("--seed", default=42, show_default=True)
def main(run_folder: Path, data: Path | None, rounds: int, seed: int) -> None:
    """Measure the time that reasons take."""
    run = TrainedRun.open(run_folder, data)
    source = exportable_of(run_folder, run)
    with tempfile.TemporaryDirectory() as scratch:
        served = ServedModels(source, find_weights(run.config.text.bert), Path(scratch))
        whole = served.signatures["recommender"]["serving_default"]
        graphs = {"with reasons": whole.trace(), "without": without_reasons(whole).trace()}
    requests = requests_of(run, rounds + WARM_UP, seed)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in graphs}
    for number, request in enumerate(progress(requests, description="Asking", unit="shopper")):
        for name, graph in graphs.items():
            figures = timed(partial(graph, **request))
            if number >= WARM_UP:
                spent[name].append(figures)
    items = len(source.items)
    lengths = [int(request["history_item_id"].shape[1]) for request in requests]
    table = Table(
        title=f"{items:,} items, {source.config.export.k} recommended, {rounds} shoppers with "
        f"{np.median(lengths):.0f} events (median)"
    )
    for name in ("", "wall p50", "wall p99", "processor, mean"):
        table.add_column(name, justify="right" if name else "left")
    for name, pairs in spent.items():
        wall, processor = 1000 * np.array(pairs).T
        table.add_row(
            name,
            f"{np.median(wall):.2f} ms",
            f"{np.quantile(wall, 0.99):.2f} ms",
            f"{processor.mean():.2f} ms",
        )
    Console().print(table)


def without_reasons(signature: Signature) -> Signature:
    """Returns a signature that does not answer with reasons."""

    def function(inputs: Tensors) -> Tensors:
        answer = signature.function(inputs)
        return {name: values for name, values in answer.items() if not name.startswith(REASONS)}

    return Signature(function, signature.inputs)


def requests_of(run: TrainedRun, count: int, seed: int) -> list[Tensors]:
    """Returns requests with the histories of test shoppers, drawn with replacement."""
    dataset = run.dataset
    histories = dataset.histories("test")
    ids = np.array(["", *dataset.items["item_id"]])
    events = np.array(["", *dataset.event_types])
    requests = []
    for row in np.random.default_rng(seed).integers(0, len(histories), count):
        place = histories.history(int(row))
        requests.append(
            {
                "history_item_id": tf.constant([["", *ids[histories.item[place]]]]),
                "history_event": tf.constant([["", *events[histories.event[place]]]]),
                "history_timestamp": tf.constant([[0, *histories.timestamp[place]]], tf.int64),
                "exclude_item_id": tf.constant([[""]]),
                **{f"context_{name}": tf.constant([""]) for name in run.retrieval.spec.contexts},
            }
        )
    return requests


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Returns the wall and the processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
