"""What measurements of a run share: their options, means with intervals, and a table of lists."""

import resource
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from rich.table import Table

from pipelines.options import together
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.evaluation.metrics import ndcg, recall

PATH = click.Path(path_type=Path)
CUTOFF = 10

run_options = together(
    click.option("--run", "run_folder", required=True, type=PATH, help="Folder of a trained run."),
    click.option("--data", type=PATH, help="The run's data set, where it has moved."),
)
json_option = click.option("--json", "json_path", type=PATH, help="Write the figures here, too.")


def processor_seconds() -> float:
    """Returns what the processes that this one started, and waited for, have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def gain_with_interval(gain: np.ndarray) -> str:
    """Returns the mean of differences `[shoppers]` and its 95 % bootstrap interval, as a text."""
    low, high = bootstrap_interval(gain[:, None])
    return f"{gain.mean():+.4f} ({low[0]:+.4f} to {high[0]:+.4f})"


def with_intervals(values: np.ndarray, *, seed: int = 0) -> list[list[float]]:
    """Returns mean and half the bootstrap interval of every column of `[shoppers, columns]`."""
    low, high = bootstrap_interval(values, seed=seed)
    return [
        [float(column.mean()), float(half)]
        for column, half in zip(values.T, (high - low) / 2, strict=True)
    ]


def list_figures(ranks: np.ndarray, offsets: np.ndarray) -> dict[str, list[float]]:
    """Returns NDCG and recall of the first `CUTOFF`, each with half of its interval.

    Args:
        ranks: int `[targets]`, places of the targets, from 1.
        offsets: int `[shoppers + 1]`, where the targets of each shopper begin.
    """
    values = np.stack([ndcg(ranks, offsets, CUTOFF), recall(ranks, offsets, CUTOFF)], axis=1)
    return dict(zip(("ndcg@10", "recall@10"), with_intervals(values), strict=True))


def list_table(figures: Mapping[str, Mapping[str, list[float]]], title: str, by: str) -> Table:
    """Returns a table of what `list_figures` returns, one row a model.

    Args:
        figures: figures by model.
        title: of the table.
        by: what tells the rows apart.
    """
    drawn = Table(title=title)
    drawn.add_column(by)
    for name in ("NDCG@10", "recall@10"):
        drawn.add_column(name, justify="right")
    for name, found in figures.items():
        cells = (found["ndcg@10"], found["recall@10"])
        drawn.add_row(name, *(f"{mean:.4f} ±{half:.4f}" for mean, half in cells))
    return drawn
