"""Prints how good the lists of similar products are, and what each part gives.

    python -m benchmarks.similar --run RUN [--data DATA] [--column categories] [--json FILE]

For every shopper of the test split two products that he chose one after the other, or at one
moment: the second is to be found from the first. The full catalogue but for the first is ranked,
equal scores count against the model. Where the catalogue has a categorical column, the share of the
first ten that are of the narrowest category of the product says whether they are substitutes.
Weights are fitted on the validation split, counts are of the log before the test split.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import CUTOFF, json_option, run_options, with_intervals
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.lists import top_lists
from tfrec.evaluation.metrics import ndcg, target_ranks
from tfrec.files import write_json
from tfrec.surfaces.similar import PARTS
from tfrec.surfaces.similar_fitting import fit_similar, held_out_pairs, pair_parts
from tfrec.training.loading import TrainedRun

FEW = 5
LEAST = 3


@click.command()
@run_options
@click.option("--column", default="categories", show_default=True)
@click.option("--pairs", default=3000, show_default=True, help="Most pairs.")
@json_option
def main(
    run_folder: Path, data: Path | None, column: str, pairs: int, json_path: Path | None
) -> None:
    """Measure products like a product."""
    run = TrainedRun.open(run_folder, data)
    dataset = run.dataset
    vectors = run.retrieval.item_vectors().numpy().astype(np.float32)
    texts = run.retrieval.catalogue.text.numpy()
    tables, _ = fit_similar(dataset, vectors, texts, seed=run.config.seed)
    asked = held_out_pairs(dataset, "test", seed=run.config.seed)
    item, later = asked.item[:pairs], asked.later[:pairs]
    vector, text, common = pair_parts(tables, item, vectors, texts)
    mix = tables.mix
    models = {
        "common shoppers": common + 1e-9 * text,
        "vectors": vector,
        "texts": text,
        "vectors + common shoppers": mix[0] * vector + mix[2] * common,
        "similar (all three)": mix[0] * vector + mix[1] * text + mix[2] * common,
    }
    few = np.append(0, dataset.items["train_events"].to_numpy())[item] <= FEW
    narrow = narrowest(dataset, column)
    figures = {name: measured(scores, item, later, few, narrow) for name, scores in models.items()}
    click.echo(f"weights: {dict(zip(PARTS, np.round(mix.astype(float), 3).tolist(), strict=True))}")
    Console().print(table(figures, len(item), int(few.sum()), narrow is not None))
    if json_path is not None:
        write_json(json_path, {"mix": mix.tolist(), "pairs": len(item), "models": figures})


def narrowest(dataset: PreparedDataset, column: str) -> np.ndarray | None:
    """Returns the rarest category of each item that `LEAST` items have; None without a column."""
    if column not in dataset.categorical_columns:
        return None
    values = dataset.categories(column).values
    if not values.any():
        return None
    sizes = np.bincount(values[1:].ravel()).astype(float)
    sizes[(sizes < LEAST) | (np.arange(len(sizes)) == 0)] = np.inf
    best = sizes[values].argmin(axis=1)
    rows = np.arange(len(values))
    return np.where(np.isfinite(sizes[values[rows, best]]), values[rows, best], 0)


def measured(
    scores: np.ndarray,
    item: np.ndarray,
    later: np.ndarray,
    few: np.ndarray,
    narrow: np.ndarray | None,
) -> dict[str, float]:
    scores = scores.copy()
    scores[:, 0] = -np.inf
    scores[np.arange(len(item)), item] = -np.inf
    offsets = np.arange(len(item) + 1)
    ranks = target_ranks(scores, offsets, later)
    values = np.stack([ranks <= CUTOFF, ndcg(ranks, offsets, CUTOFF)], axis=1)
    (hits, half), (gain, _) = with_intervals(values)
    found = {
        "recall@10": hits,
        "±": half,
        "ndcg@10": gain,
        "recall@10 of little known": float(values[few, 0].mean()) if few.any() else float("nan"),
    }
    if narrow is not None:
        same = narrow[top_lists(scores, CUTOFF)] == narrow[item][:, np.newaxis]
        found["same category"] = float(same[narrow[item] > 0].mean())
    return found


def table(figures: dict[str, dict[str, float]], pairs: int, few: int, with_column: bool) -> Table:
    drawn = Table(title=f"The next product of {pairs} shoppers, from one product")
    drawn.add_column("by")
    drawn.add_column("recall@10", justify="right")
    drawn.add_column("NDCG@10", justify="right")
    drawn.add_column(f"recall@10, {few} items with {FEW} events at most", justify="right")
    if with_column:
        drawn.add_column("of ten, in the same narrowest category", justify="right")
    for name, found in figures.items():
        cells = [f"{found['recall@10']:.4f} ±{found['±']:.4f}", f"{found['ndcg@10']:.4f}"]
        cells.append(f"{found['recall@10 of little known']:.4f}")
        if with_column:
            cells.append(f"{found['same category']:.3f}")
        drawn.add_row(name, *cells)
    return drawn


if __name__ == "__main__":
    main()
