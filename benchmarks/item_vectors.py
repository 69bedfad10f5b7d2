"""Prints what it costs to keep the item vectors in fewer bits: bytes, lists, hits and time.

    python -m benchmarks.item_vectors --run RUN [--data DATA] [--limit 2000] [--json FILE]

The lists are those of the retrieval model for shoppers of the validation split, as
`tfrec evaluate` makes them, over the log before that split. "overlap" is the share of a float32
list's first 10 or 100 items that are among the first 10 or 100 here, whatever their order. A
query is a product of the vector of a shopper with all items' and the best 100 of it; the kinds
take turns, so a busy machine is as busy for all of them.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from rich.table import Table

from benchmarks.measuring import CUTOFF, json_option, run_options, with_intervals
from pipelines.console import table_console
from tfrec.data.records import Histories
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.metrics import recall
from tfrec.evaluation.protocol import rank
from tfrec.files import write_json
from tfrec.index.exact import best_items
from tfrec.index.item_vectors import VectorKind
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Retriever
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.loading import TrainedRun

# After tfrec, which chooses the Keras that TensorFlow comes with.
import tensorflow as tf  # isort: skip

LONG = 100
TIMED = 300
BATCHES = {"ms a query": 1, "ms for 32": 32}


@click.command()
@run_options
@click.option("--limit", type=click.IntRange(min=1), help="Shoppers; all by default.")
@json_option
def main(run_folder: Path, data: Path | None, limit: int | None, json_path: Path | None) -> None:
    """Measure every kind of item vectors of a run beside float32."""
    run = TrainedRun.open(run_folder, data)
    run.count_before("valid")
    shoppers = len(run.dataset.histories("valid"))
    subset = None
    if limit is not None and limit < shoppers:
        drawn = np.random.default_rng(run.config.seed).choice(shoppers, limit, replace=False)
        subset = np.sort(drawn)
    cases = Cases.of(run.dataset, "valid", run.config.evaluation, subset=subset)
    kinds: tuple[VectorKind, ...] = get_args(VectorKind)
    retrievers: dict[str, Retriever] = {k: Retriever(run.retrieval, kind=k) for k in kinds}
    figures: dict[str, dict[str, Any]] = {}
    exact: np.ndarray | None = None
    for kind, retriever in retrievers.items():
        with progress(description=f"Asking {kind}", total=len(cases), unit="shopper") as bar:
            scorer = KindScorer(kind, retriever)
            ranks, lists = rank(scorer, cases, list_length=LONG, batch_size=256, bar=bar)
        exact = lists if exact is None else exact
        hits, half = with_intervals(recall(ranks, cases.target_offsets, CUTOFF)[:, np.newaxis])[0]
        figures[kind] = {
            "bytes": retriever.index.size,
            **{f"overlap@{k}": overlap(exact[:, :k], lists[:, :k]) for k in (CUTOFF, LONG)},
            "recall@10": hits,
            "±": half,
        }
    for name, times in milliseconds(retrievers, cases).items():
        figures[name] |= times
    title = f"{run_folder}: {len(cases)} shoppers, {cases.num_items} items"
    table_console().print(table(figures, title))
    if json_path is not None:
        write_json(json_path, {"shoppers": len(cases), "items": cases.num_items, "kinds": figures})


class KindScorer:
    """Scores the catalogue by one kind of vectors."""

    def __init__(self, name: str, retriever: Retriever) -> None:
        self.name = name
        self._max_history = retriever.model.config.max_history
        self._scores = OpenGraph(retriever.scores)

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 `[shoppers, num_items + 1]`; column 0 has no meaning."""
        scores: np.ndarray = self._scores(pad_histories(histories, self._max_history)).numpy()
        return scores


def overlap(exact: np.ndarray, lists: np.ndarray) -> float:
    """Returns the mean share of the items of each list that another one has, too; 0 pads."""
    shown = exact > 0
    # Items of different lists are no longer alike.
    apart = np.arange(len(exact), dtype=np.int64)[:, np.newaxis] * (exact.max(initial=0) + 1)
    same = np.isin(exact + apart, np.where(lists > 0, lists + apart, -1)) & shown
    return float((same.sum(axis=1) / np.maximum(shown.sum(axis=1), 1)).mean())


def milliseconds(retrievers: Mapping[str, Retriever], cases: Cases) -> dict[str, dict[str, float]]:
    """Returns the median time of a search by kind and number of queries."""
    first = next(iter(retrievers.values()))
    some = cases.histories.select(np.arange(min(len(cases), max(BATCHES.values()))))
    history = pad_histories(some, first.model.config.max_history)
    queries = first.query_vectors(history)
    searches = {kind: OpenGraph(search_of(retriever)) for kind, retriever in retrievers.items()}
    found: dict[str, dict[str, float]] = {kind: {} for kind in retrievers}
    for name, size in BATCHES.items():
        asked = queries[:size]
        taken: dict[str, list[float]] = {kind: [] for kind in retrievers}
        for _ in progress(range(TIMED), description=f"Timing {size}", unit="round"):
            for kind, search in searches.items():
                started = time.perf_counter()
                search(asked)
                taken[kind].append(1000 * (time.perf_counter() - started))
        for key, several in taken.items():
            found[key][name] = float(np.median(several))
    return found


def search_of(retriever: Retriever) -> Callable[[tf.Tensor], Any]:
    """Returns what finds the best items for query vectors."""
    return lambda queries: best_items(retriever.index.products(queries), LONG)


def table(figures: dict[str, dict[str, Any]], title: str) -> Table:
    """Returns the figures for people."""
    drawn = Table(title=title)
    drawn.add_column("vectors")
    overlaps = [f"overlap@{k}" for k in (CUTOFF, LONG)]
    for heading in ("bytes", *overlaps, "recall@10", *BATCHES):
        drawn.add_column(heading, justify="right")
    for kind, row in figures.items():
        drawn.add_row(
            kind,
            f"{row['bytes']:,}",
            *(f"{100 * row[name]:.2f} %" for name in overlaps),
            f"{row['recall@10']:.4f} ±{row['±']:.4f}",
            *(f"{row[name]:.2f}" for name in BATCHES),
        )
    return drawn


if __name__ == "__main__":
    main()
