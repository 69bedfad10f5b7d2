"""What diversity costs: NDCG against the variety of the lists, over the trade-off parameter.

Run: ``python -m benchmarks.diversity_curve --run RUN [--repeats count] [--image FILE]``

The shoppers of a split get the candidates of both stages once; every method and trade-off then
arranges the same ones. Intra-list diversity is that of the items' texts, which neither method
looks at: they compare the trained item vectors. The interval of a change in NDCG is that of the
differences by shopper.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tfrec  # noqa: F401  (decides which Keras TensorFlow gets)
from tfrec.config import SurfaceConfig
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.lists import coverage, gini, intra_list_diversity
from tfrec.evaluation.metrics import list_ranks, ndcg, recall
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.candidate_lists import holdout_shoppers
from tfrec.training.loading import TrainedRun

import tensorflow as tf  # isort: skip

K, DEPTH = 20, 100
SHOPPERS_A_BATCH = 64
TRADE_OFFS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
METHODS = ("mmr", "dpp")
NONE = "none"


def measure(path: Path, split: str, repeats: str | None, shoppers: int | None) -> dict[str, Any]:
    """Returns the figures of every method and trade-off.

    Args:
        path: a trained run.
        split: ``valid`` (shoppers that the ranking model was not trained on) or ``test``.
        repeats: ``count`` or ``exclude``; None as the run's configuration says.
        shoppers: how many at most.
    """
    run = TrainedRun.open(path)
    run.count_before(split)
    subset = None
    if split == "valid":
        everyone = run.dataset.histories("valid")
        subset = np.flatnonzero(holdout_shoppers(everyone, run.config.ranking.holdout))
    config = run.config.evaluation
    if repeats is not None:
        config = config.model_copy(update={"repeats": repeats})
    cases = Cases.of(run.dataset, split, config, subset=subset)
    if shoppers is not None and shoppers < len(cases):
        cases = cases.select(np.linspace(0, len(cases) - 1, shoppers).astype(int))
    lists = _lists(run, cases)
    rows = [_figures(label, shown, cases, run) for label, shown in lists.items()]
    base = rows[0]
    for row in rows:
        change = row.pop("per_case") if row is not base else base["per_case"]
        if row is not base:
            difference = (change - base["per_case"])[:, np.newaxis]
            low, high = bootstrap_interval(difference, samples=1000, seed=run.config.seed)
            row |= {
                "change": float(difference.mean()),
                "low": float(low[0]),
                "high": float(high[0]),
            }
    del base["per_case"]
    return {"split": split, "repeats": cases.repeats, "shoppers": len(cases), "k": K, "rows": rows}


def _lists(run: TrainedRun, cases: Cases) -> dict[tuple[str, float], np.ndarray]:
    """Returns what each method and trade-off shows, int64 `[shoppers, K]`."""
    surfaces = {(NONE, 0.0): SurfaceConfig(places=K, depth=DEPTH)} | {
        (method, trade_off): SurfaceConfig(
            method=method,
            diversity=trade_off,
            places=K,
            depth=DEPTH,
        )
        for method in METHODS
        for trade_off in TRADE_OFFS
    }
    base = run.recommender()
    assert base is not None, "the run has a ranking model"
    assert run.ranker is not None
    orders = {label: _display(run, surface) for label, surface in surfaces.items()}
    hide = cases.repeats == "exclude"
    longest = max(run.retrieval.config.max_history, run.config.ranking.max_history)
    vectors = base.retriever.index

    @tf.function(reduce_retracing=True, autograph=False)
    def show(history: dict[str, tf.Tensor], hidden: tf.Tensor) -> list[tf.Tensor]:
        items, values, _ = base.recommend(history, hidden)
        seeds = tf.fill([tf.shape(items)[0]], "")
        shown = []
        for order in orders.values():
            places, _ = order(items, order.values(items, values), vectors, seeds, K)
            shown.append(tf.gather(items, places[:, :K], batch_dims=1))
        return shown

    parts: list[list[np.ndarray]] = []
    starts = range(0, len(cases), SHOPPERS_A_BATCH)
    width = max(1, int(cases.histories.lengths.max(initial=0)))
    for start in progress(list(starts), description="Arranging", unit="batch"):
        some = np.arange(start, min(start + SHOPPERS_A_BATCH, len(cases)))
        histories = cases.histories.select(some)
        history = pad_histories(histories, longest)
        hidden = tf.zeros([len(some), 1], tf.int64)
        if hide:
            hidden = pad_histories(histories, width)["item"]
        parts.append([part.numpy() for part in show(history, hidden)])
    return {label: np.concatenate([p[i] for p in parts]) for i, label in enumerate(orders)}


def _display(run: TrainedRun, surface: SurfaceConfig) -> Any:
    from tfrec.rerank.display_order import DisplayOrder

    return DisplayOrder(surface, run.dataset.items, run.retrieval.catalogue.categories)


def _figures(
    label: tuple[str, float], lists: np.ndarray, cases: Cases, run: TrainedRun
) -> dict[str, Any]:
    ranks = list_ranks(lists, cases.target_offsets, cases.target_item)
    per_case = ndcg(ranks, cases.target_offsets, K)
    return {
        "method": label[0],
        "diversity": label[1],
        f"ndcg@{K}": float(per_case.mean()),
        f"recall@{K}": float(recall(ranks, cases.target_offsets, K).mean()),
        "ild": float(np.nanmean(intra_list_diversity(lists, run.text_vectors))),
        "coverage": coverage(lists, cases.num_items),
        "gini": gini(lists, cases.num_items),
        "per_case": per_case,
    }


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    title = (
        f"{result['split']}, {result['shoppers']} shoppers, re-purchases {result['repeats']}, "
        f"{DEPTH} candidates to {K}"
    )
    table = Table(title=title, title_justify="left")
    names = ("method", "diversity", f"NDCG@{K}", "change", f"recall@{K}", "ILD", "coverage", "Gini")
    for name in names:
        table.add_column(name, justify="left" if name == "method" else "right")
    for row in result["rows"]:
        change = ""
        if "change" in row:
            change = f"{row['change']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        table.add_row(
            row["method"],
            f"{row['diversity']:g}",
            f"{row[f'ndcg@{K}']:.4f}",
            change,
            f"{row[f'recall@{K}']:.4f}",
            f"{row['ild']:.4f}",
            f"{row['coverage']:.3f}",
            f"{row['gini']:.3f}",
        )
    return table


def draw(results: Sequence[tuple[str, dict[str, Any]]], path: Path) -> None:
    """Writes the curves as a picture: NDCG against each measure of variety.

    Args:
        results: name and figures of each run.
        path: the file.
    """
    import matplotlib
    from matplotlib.figure import Figure

    measures = {"ild": "intra-list diversity", "coverage": "coverage", "gini": "Gini index"}
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        figure = Figure(figsize=(10, 3.4 * len(results)), dpi=110)
        panels = figure.subplots(len(results), len(measures), sharey="row", squeeze=False)
    for (name, result), row in zip(results, panels, strict=True):
        for panel, (key, label) in zip(row, measures.items(), strict=True):
            start = result["rows"][0]
            for method in METHODS:
                points = [start, *(r for r in result["rows"] if r["method"] == method)]
                x = [point[key] for point in points]
                y = [point[f"ndcg@{K}"] for point in points]
                panel.plot(x, y, marker="o", markersize=3, label=method.upper())
                panel.annotate(f"{points[-1]['diversity']:g}", (x[-1], y[-1]), fontsize=7)
            panel.plot(start[key], start[f"ndcg@{K}"], "ks", markersize=5, label="no diversity")
            panel.set_xlabel(label)
            panel.grid(alpha=0.3)
        kept = "counted" if result["repeats"] == "count" else "excluded"
        row[0].set_ylabel(f"{name}, re-purchases {kept}\nNDCG@{K}")
        row[0].legend(fontsize=8)
    figure.savefig(path)


@click.command()
@click.option("--run", "runs", type=click.Path(exists=True, path_type=Path), multiple=True)
@click.option("--name", "names", multiple=True, help="Name of each run in the picture.")
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option(
    "--repeats",
    "modes",
    type=click.Choice(["count", "exclude"]),
    multiple=True,
    help="If not the run's own; twice for both.",
)
@click.option("--shoppers", type=int, help="At most so many of each run.")
@click.option("--image", type=click.Path(path_type=Path), help="Where to write the picture.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def main(
    runs: tuple[Path, ...],
    names: tuple[str, ...],
    split: str,
    modes: tuple[str, ...],
    shoppers: int | None,
    image: Path | None,
    as_json: bool,
) -> None:
    results = [measure(run, split, mode, shoppers) for run in runs for mode in modes or (None,)]
    if as_json:
        click.echo(json.dumps(results, indent=2))
    else:
        for result in results:
            Console(width=120).print(table(result))
    if image is not None:
        labels = [*names, *(run.name for run in runs[len(names) :])]
        rows = [label for label in labels for _ in modes or (None,)]
        draw(list(zip(rows, results, strict=True)), image)


if __name__ == "__main__":
    main()
