"""Prints how well it is told what a shopper buys again.

    python -m benchmarks.buy_again --data DATA [--json FILE]

Shoppers of the test period who buy something again that they had before it; the targets are what
they buy again, the items ranked are those they had. Counts are of the log before the period, and
weights of the validation period. The probabilities are compared over everybody in the log, those
too who buy nothing in the period.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console

from benchmarks.measuring import json_option, list_figures, list_table
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.metrics import target_ranks
from tfrec.evaluation.probabilities import expected_calibration_error, log_loss
from tfrec.files import write_json
from tfrec.surfaces.buy_again import BuyAgain
from tfrec.surfaces.buy_again_fitting import bought_later, fit_again, pairs_at, start_of
from tfrec.surfaces.logistic import probabilities


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path))
@json_option
def main(data: Path, json_path: Path | None) -> None:
    """Measure what is bought again beside two counts."""
    dataset = PreparedDataset.open(data)
    tables = fit_again(dataset).tables
    log = dataset.log_before("test")
    pairs = pairs_at(BuyAgain(tables), log, tables, start_of(dataset, "test"))
    repeated = bought_later(dataset, "test", log, pairs)
    row, item = pairs.row.numpy(), pairs.item.numpy()
    features, age = pairs.features.numpy(), pairs.age.numpy()
    logits, times = features @ tables.weights, features[:, 2]
    late = age - pairs.interval.numpy()
    scores = {
        "most often bought, then latest": times - 1e-5 * age,
        "latest bought, then most often": -age + 1e-3 * times,
        "most overdue": late,
        "buy again": logits,
    }
    figures = {
        name: measured(row, item, repeated, values, dataset.num_items + 1)
        for name, values in scores.items()
    }
    chances = probabilities(features, tables.weights)
    rate = float(repeated.mean())
    base = np.full(len(repeated), rate)
    said = {
        "rate": rate,
        "mean": float(chances.mean()),
        "log_loss": log_loss(repeated, chances),
        "base_log_loss": log_loss(repeated, base),
        "ece": expected_calibration_error(repeated, chances),
    }
    count = len(np.unique(row[repeated]))
    title = f"What {count} shoppers of the test period buy again"
    Console().print(list_table(figures, title, "order"))
    click.echo(
        f"{len(repeated)} pairs, {rate:.4f} bought again, {said['mean']:.4f} expected; "
        f"log loss {said['log_loss']:.4f} (base rate {said['base_log_loss']:.4f})"
        f", calibration error {said['ece']:.4f}"
    )
    if json_path is not None:
        write_json(json_path, {"ranking": figures, "probabilities": said})


def measured(
    row: np.ndarray, item: np.ndarray, repeated: np.ndarray, values: np.ndarray, width: int
) -> dict[str, list[float]]:
    """Returns NDCG and recall with half of their intervals."""
    shoppers, owner = np.unique(row, return_inverse=True)
    scores = np.full((len(shoppers), width), -np.inf, np.float32)
    scores[owner, item] = values
    asked = np.unique(owner[repeated])
    order = np.lexsort((item[repeated], owner[repeated]))
    sizes = np.bincount(owner[repeated], minlength=len(shoppers))[asked]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    ranks = target_ranks(scores[asked], offsets, item[repeated][order])
    return list_figures(ranks, offsets)


if __name__ == "__main__":
    main()
