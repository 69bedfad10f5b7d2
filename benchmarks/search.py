"""Prints how often the item that a query means is among the first ten, and how long that takes.

    python -m benchmarks.search --run RUN [--data DATA] [--items 500] [--json FILE]

Queries are made from titles: a third of the words left out, all of them in another order, a typo
in a third of them, all of this at once, and, which no weight was fitted on, a typo in every word.
None of these items made a query that weights were fitted on. The full catalogue is ranked, equal
scores count against the model. BM25 is that of the library bm25s over the same words, lower-cased;
its variant and its two parameters are chosen on the validation queries.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bm25s
import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import json_option, run_options
from tfrec.evaluation.metrics import target_ranks
from tfrec.export.exporter import exportable_of
from tfrec.export.served_models import ServedModels
from tfrec.files import write_json
from tfrec.surfaces.letters import words_of
from tfrec.surfaces.noisy_queries import KINDS, Query, all_misspelt, queries_of
from tfrec.surfaces.search import Search
from tfrec.surfaces.search_fitting import drawn_items, query_parts, validation_queries
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.training.loading import TrainedRun
from tfrec.training.surfaces import SURFACES, Surfaces

CUTOFF = 10
BM25 = [
    {"method": method, "k1": k1, "b": b}
    for method in ("lucene", "bm25+")
    for k1 in (0.6, 1.2, 2.0)
    for b in (0.0, 0.4, 0.75)
]
TIMED = 200
MEASURED = {**KINDS, "every word misspelt": all_misspelt}

Ranks = Callable[[list[Query]], np.ndarray]


@click.command()
@run_options
@click.option("--items", default=500, show_default=True, help="Items that queries are made for.")
@json_option
def main(run_folder: Path, data: Path | None, items: int, json_path: Path | None) -> None:
    """Measure the search of a run beside BM25 and a frozen BERT."""
    run = TrainedRun.open(run_folder, data)
    surfaces = Surfaces.find(run_folder / SURFACES, run.retrieval)
    if surfaces is None:
        raise SystemExit(f"{run_folder} has no surfaces; fit them with `tfrec train surfaces`")
    titles, texts = run.dataset.items["title"].tolist(), run.dataset.items["text"].tolist()
    seed = run.config.seed
    rows = drawn_items(len(titles), seed)[-items:].tolist()
    queries = queries_of(titles, rows, seed=seed + 1, kinds=MEASURED)
    tower = BertTextTower.from_files(
        find_weights(run.config.text.bert), max_tokens=run.config.text.max_tokens
    )
    meanings = run.retrieval.catalogue.text.numpy()
    parts = query_parts(Search(texts, surfaces.search), queries, meanings, tower)
    fitted = sum(weight * part for weight, part in zip(surfaces.search, parts, strict=True))
    ranks = {
        "BM25": tuned_bm25(texts, validation_queries(titles, seed=seed))(queries),
        "frozen BERT": ranks_of(parts[-1], queries),
        "search": ranks_of(fitted, queries),
    }
    figures = {name: by_kind(found, queries) for name, found in ranks.items()}
    milliseconds = latency(run, run_folder, [query.text for query in queries[:TIMED]])
    console = Console()
    console.print(f"weights {np.round(surfaces.search, 3).tolist()}")
    console.print(table(figures, f"recall@10, {len(queries)} queries, {len(titles)} items"))
    console.print(
        "one search in process: "
        + ", ".join(f"{name} {value:.1f} ms" for name, value in milliseconds.items())
    )
    if json_path is not None:
        write_json(json_path, {"recall@10": figures, "ms": milliseconds})


def ranks_of(scores: np.ndarray, queries: list[Query]) -> np.ndarray:
    scores = scores.copy()
    scores[:, 0] = -np.inf
    wanted = np.array([query.item + 1 for query in queries])
    return target_ranks(scores, np.arange(len(queries) + 1), wanted)


def tuned_bm25(texts: list[str], validation: list[Query]) -> Ranks:
    """Returns BM25 with the settings that find most of the validation queries' items."""
    corpus = _tokens(texts)

    def fitted(settings: dict) -> Ranks:
        index = bm25s.BM25(**settings)
        index.index(corpus, show_progress=False)

        def ranks(queries: list[Query]) -> np.ndarray:
            known = [
                [word for word in words if word in index.vocab_dict]
                for words in _tokens([query.text for query in queries])
            ]
            none = np.zeros(len(texts), np.float32)
            scores = np.stack([index.get_scores(words) if words else none for words in known])
            return ranks_of(np.pad(scores, [[0, 0], [1, 0]]), queries)

        return ranks

    best = max(BM25, key=lambda settings: (fitted(settings)(validation) <= CUTOFF).mean())
    print(f"BM25: {best}")
    return fitted(best)


def _tokens(texts: list[str]) -> list[list[str]]:
    return [[word.decode() for word in words] for words in words_of(np.array(texts)).to_list()]


def by_kind(ranks: np.ndarray, queries: list[Query]) -> dict[str, float]:
    hits = ranks <= CUTOFF
    kinds = np.array([query.kind for query in queries])
    found = {kind: float(hits[kinds == kind].mean()) for kind in MEASURED}
    return {**found, "all": float(hits.mean())}


def latency(run: TrainedRun, folder: Path, texts: list[str]) -> dict[str, float]:
    """Returns the milliseconds of a call of the exported graph, median and 99th percentile."""
    with tempfile.TemporaryDirectory() as scratch:
        source = exportable_of(folder, run)
        served = ServedModels(source, find_weights(run.config.text.bert), Path(scratch))
        definition = served.signatures["retrieval"]["search"]
        graph = definition.trace()
        blank = {
            name: np.zeros([1] * spec.shape.rank, spec.dtype.as_numpy_dtype)
            for name, spec in definition.inputs.items()
        }
        blank = {
            name: np.array([""] if value.ndim == 1 else [[""]]) if value.dtype == object else value
            for name, value in blank.items()
        }
        seconds = []
        for text in [*texts[:10], *texts]:
            started = time.perf_counter()
            graph(**as_tensors({**blank, "query": np.array([text])}, definition.inputs))
            seconds.append(time.perf_counter() - started)
    middle, high = np.quantile(seconds[10:], [0.5, 0.99]) * 1000
    return {"p50": float(middle), "p99": float(high)}


def as_tensors(inputs: dict[str, np.ndarray], specs: dict) -> dict:
    import tensorflow as tf

    return {name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()}


def table(figures: dict[str, dict[str, float]], title: str) -> Table:
    drawn = Table(title=title)
    drawn.add_column("model")
    for kind in (*MEASURED, "all"):
        drawn.add_column(kind, justify="right")
    for name, row in figures.items():
        drawn.add_row(name, *(f"{value:.4f}" for value in row.values()))
    return drawn


if __name__ == "__main__":
    main()
