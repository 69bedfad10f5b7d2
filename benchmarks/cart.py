"""Prints how often a hidden line of an order is found again.

    python -m benchmarks.cart --run RUN [--data DATA] [--split test] [--json FILE]

One line of every order of the split is hidden; the rest is the basket. The full catalogue but for
the basket is ranked, equal scores count against the model. All opponents are tuned on the
validation orders that the cart model was chosen by, and count the log before the split.
"""

import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse

from benchmarks.measuring import CUTOFF, json_option, run_options, with_intervals
from tfrec.data.cooccurrence import (
    ItemKNNSettings,
    common_shoppers,
    history_matrix,
    item_similarity,
)
from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import item_counts
from tfrec.evaluation.metrics import ndcg
from tfrec.evaluation.tuning import coordinate_search
from tfrec.files import read_json, write_json
from tfrec.surfaces.cart import Cart
from tfrec.surfaces.cart_fitting import (
    LINES,
    basket_scores,
    count_cart,
    hidden_ranks,
    orders_before,
)
from tfrec.surfaces.order_regression import RegressionSettings
from tfrec.surfaces.orders import Baskets, Orders
from tfrec.training.loading import TrainedRun
from tfrec.training.surfaces import FITTED, SURFACES, Surfaces

KNN_OPTIONS = {
    "length_exponent": (0.5, 0.0, 1.0, 1.5),
    "shrinkage": (5.0, 0.0, 1.0, 20.0, 50.0),
    "neighbours": (None, 20, 50, 100, 200),
}
DAYS = (None, 7, 30, 90)

Scores = Callable[[Baskets], np.ndarray]


@click.command()
@run_options
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--seed", default=42, show_default=True)
@json_option
def main(
    run_folder: Path, data: Path | None, split: str, seed: int, json_path: Path | None
) -> None:
    """Measure the cart of a run beside its opponents."""
    run = TrainedRun.open(run_folder, data)
    dataset = run.dataset
    vectors = run.retrieval.item_vectors().numpy().astype(np.float32)
    surfaces = Surfaces.find(run_folder / SURFACES, run.retrieval)
    if surfaces is None or surfaces.cart is None:
        raise SystemExit(f"{run_folder} has no cart; fit it with `tfrec train surfaces`")
    settings = RegressionSettings(**read_json(run_folder / SURFACES / FITTED)["cart"])
    cart = Cart(count_cart(dataset, split, settings, surfaces.cart.mix))

    baskets = baskets_of(dataset, split, 1, seed)
    models = {
        "popularity": tuned_popularity(dataset, split, seed),
        "ItemKNN over shoppers": tuned_knn(dataset, split, seed, shopper_matrix),
        "ItemKNN over orders": tuned_knn(dataset, split, seed, order_matrix),
        "cart": lambda chosen: basket_scores(cart, chosen, vectors),
    }
    figures = {name: measured(scores, baskets, seed) for name, scores in models.items()}
    console = Console()
    console.print(table(figures, f"{len(baskets)} orders of {split}, one line hidden"))
    if json_path is not None:
        write_json(json_path, figures)


def baskets_of(dataset: PreparedDataset, split: str, lines: int, seed: int) -> Baskets:
    orders = Orders.of_targets(
        dataset.histories(split), dataset.target_event_indices, dataset.num_items
    )
    return Baskets.of(orders, lines=lines, seed=seed)


def order_matrix(dataset: PreparedDataset, split: str) -> sparse.csr_matrix:
    return orders_before(dataset, split).items


def shopper_matrix(dataset: PreparedDataset, split: str) -> sparse.csr_matrix:
    log = dataset.log_before(split)
    return history_matrix(log, dataset.num_items + 1, events=dataset.target_event_indices)


def tuned_knn(
    dataset: PreparedDataset,
    split: str,
    seed: int,
    matrix: Callable[[PreparedDataset, str], sparse.csr_matrix],
) -> Scores:
    """Returns the neighbourhood model with the settings that do best on validation orders."""

    def fitted(before: str, settings: dict) -> Scores:
        chosen = matrix(dataset, before)
        common = common_shoppers(chosen, length_exponent=settings["length_exponent"])
        similarity = item_similarity(common, ItemKNNSettings(**settings))
        popular = item_counts(
            dataset.log_before(before), dataset.num_items + 1, dataset.target_event_indices
        )
        # Popularity breaks ties, and is too small to do more.
        tie_break = (1e-6 * popular / max(popular.max(), 1.0)).astype(np.float32)
        return lambda baskets: masked((baskets.items @ similarity).toarray() + tie_break, baskets)

    validation = baskets_of(dataset, "valid", LINES, seed)
    best = coordinate_search(
        lambda settings: quality(fitted("valid", settings), validation),
        {name: values[0] for name, values in KNN_OPTIONS.items()},
        KNN_OPTIONS,
    )
    print(f"{matrix.__name__}: {best}")
    return fitted(split, best)


def tuned_popularity(dataset: PreparedDataset, split: str, seed: int) -> Scores:
    """Returns popularity over the days that do best on validation orders."""

    def fitted(before: str, days: int | None) -> Scores:
        log, width = dataset.log_before(before), dataset.num_items + 1
        counts = item_counts(log, width, dataset.target_event_indices, days=days)
        return lambda baskets: masked(np.tile(counts, (len(baskets), 1)), baskets)

    validation = baskets_of(dataset, "valid", LINES, seed)
    best = max(DAYS, key=lambda days: quality(fitted("valid", days), validation))
    print(f"popularity: days={best}")
    return fitted(split, best)


def masked(scores: np.ndarray, baskets: Baskets) -> np.ndarray:
    scores = scores.astype(np.float32)
    scores[:, 0] = -np.inf
    scores[baskets.items.nonzero()] = -np.inf
    return scores


def quality(scores: Scores, baskets: Baskets) -> float:
    ranks = hidden_ranks(scores(baskets), baskets)
    return float(ndcg(ranks, np.arange(len(baskets) + 1), CUTOFF).mean())


def measured(scores: Scores, baskets: Baskets, seed: int) -> dict[str, float]:
    started = time.perf_counter()
    ranks = hidden_ranks(scores(baskets), baskets)
    seconds = time.perf_counter() - started
    cases = np.arange(len(baskets) + 1)
    values = np.stack([ranks <= CUTOFF, ndcg(ranks, cases, CUTOFF)], axis=1)
    (hits, half_hits), (gain, half_gain) = with_intervals(values, seed=seed)
    return {
        "recall@10": hits,
        "recall@10 ±": half_hits,
        "ndcg@10": gain,
        "ndcg@10 ±": half_gain,
        "seconds": seconds,
    }


def table(figures: dict[str, dict[str, float]], title: str) -> Table:
    drawn = Table(title=title)
    for name in ("model", "recall@10", "NDCG@10", "cart / model"):
        drawn.add_column(name, justify="left" if name == "model" else "right")
    best = figures["cart"]["recall@10"]
    for name, row in figures.items():
        drawn.add_row(
            name,
            f"{row['recall@10']:.4f} ±{row['recall@10 ±']:.4f}",
            f"{row['ndcg@10']:.4f} ±{row['ndcg@10 ±']:.4f}",
            f"{best / row['recall@10']:.2f}",
        )
    return drawn


if __name__ == "__main__":
    main()
