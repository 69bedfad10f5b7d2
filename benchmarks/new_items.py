"""Measures how well products are found that nobody bought before the test.

    python -m benchmarks.new_items --events EVENTS --items ITEMS --config YAML --out DIR [--tune]
        [--price 0 --price 0.1 ...]

A tenth of the catalogue is taken out of training, histories and validation. In the test, all items
compete; hits on the new ones and on the others are counted apart. `--tune` does the same one step
earlier in time and with other items: settings are chosen there, and the test is looked at once.
`--price` adds rows of both stages with the ranking model fitted with that `new_item_price`, and of
the retrieval model with a `cold_start` fitted so.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.held_out_items import hold_out_items
from tfrec.config import EvaluationConfig, load_config
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation import Cases, Scorer, rank
from tfrec.evaluation.baselines import ItemKNN, Popularity, TextKNN
from tfrec.evaluation.metrics import case_of_target
from tfrec.evaluation.result import accuracy, summarise
from tfrec.evaluation.tuning import tune_item_knn, tune_text_knn, tuning_cases
from tfrec.files import write_json

if TYPE_CHECKING:
    from tfrec.models.recommender import Recommender
    from tfrec.towers.cold_start import ColdStart
    from tfrec.training.cold_start import PretendedCases
    from tfrec.training.loading import TrainedRun

CUTOFFS = [10, 20]
EVALUATION = EvaluationConfig(repeats="exclude")
MEAN, LAST = 1.0, 1e-6
"""How much less an event weighs than the one after it: the mean of a history, its last event."""


@click.command()
@click.option("--events", required=True, help="Event log, Parquet.")
@click.option("--items", required=True, help="Its catalogue, Parquet.")
@click.option("--config", required=True, help="Configuration, such as configs/amazon_beauty.yaml.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--share", default=0.1, show_default=True, help="Part of the items held out.")
@click.option("--item-seed", default=7, show_default=True, help="Seed of the draw of items.")
@click.option("--seed", default=42, show_default=True, help="Seed of both models.")
@click.option("--tune", is_flag=True, help="One step earlier, for choosing settings.")
@click.option("--ranking/--no-ranking", default=True, help="Whether to train the second stage.")
@click.option("--price", "prices", type=float, multiple=True, help="A new_item_price to fit.")
def main(
    events: str,
    items: str,
    config: str,
    out: Path,
    share: float,
    item_seed: int,
    seed: int,
    tune: bool,
    ranking: bool,
    prices: tuple[float, ...],
) -> None:
    """Hold items out, train, and measure on new items and old ones."""
    out.mkdir(parents=True, exist_ok=True)
    held_out = hold_out_items(
        pd.read_parquet(events),
        pd.read_parquet(items),
        load_config(config).data,
        share=share,
        seed=item_seed,
        tune=tune,
    )
    held_out.events.to_parquet(out / "events.parquet")
    held_out.items.to_parquet(out / "items.parquet")
    write_json(out / "new_items.json", held_out.new)
    prepared = out / "generic.yaml"
    prepared.write_text(yaml.safe_dump(_generic(config)))
    data, run = out / "data", out / "run"
    common = ["--config", str(prepared)]
    given = ["--events", str(out / "events.parquet"), "--items", str(out / "items.parquet")]
    _tfrec("data", "prepare", *given, "--out", str(data), *common)
    train = ["--data", str(data), "--out", str(run), "--seed", str(seed), *common]
    _tfrec("train", "retrieval", *train)
    if ranking:
        _tfrec("train", "ranking", *train)
    rows = measure(run, set(held_out.new), prices)
    write_json(out / "new_items_results.json", rows)
    title = f"{config}, item seed {item_seed}, seed {seed}{', tuning' if tune else ''}"
    Console().print(as_table(rows, title))


def measure(run: Path, new: set[str], prices: Sequence[float] = ()) -> list[dict[str, Any]]:
    """Returns the figures of the run's models and of the baselines, new items and old ones apart.

    Args:
        run: the trained run.
        new: ids of the items that were held out.
        prices: as `new_item_price` of the ranking model and of `retrieval`; both are fitted with
            each.
    """
    from tfrec.training.loading import TrainedRun

    trained = TrainedRun.open(run)
    cases = Cases.of(trained.dataset, "test", EVALUATION)
    is_new = trained.dataset.items["item_id"].isin(new).to_numpy()[cases.target_item - 1]
    return [
        {"model": name, **figures(rank(scorer, cases)[0], cases, is_new)}
        for name, scorer in _scorers(trained, run, prices)
    ]


def _scorers(
    trained: "TrainedRun", run: Path, prices: Sequence[float]
) -> Iterator[tuple[str, Scorer]]:
    """Yields each model when it is asked for: fitting one changes the one before."""
    from tfrec.models.scorers import RetrievalScorer, TwoStageScorer
    from tfrec.training.cold_start import choose

    yield "retrieval", RetrievalScorer(trained.retrieval)
    recommender = trained.recommender()
    if recommender is not None:
        yield "retrieval + ranking", TwoStageScorer(recommender, hide_history=True)
        if prices:
            yield from _raised(recommender, run, prices)
    yield from _baselines(trained.dataset, trained.text_vectors, EVALUATION)
    if prices:
        cold_start, pretended = _pretended(trained)
        for price in prices:
            cold_start.fit(**choose(pretended, price))
            yield f"retrieval, cold start, price {price:g}", RetrievalScorer(trained.retrieval)


def _raised(
    recommender: "Recommender", run: Path, prices: Sequence[float]
) -> Iterator[tuple[str, Scorer]]:
    """Yields both stages, with what new items are worth fitted at each price."""
    from tfrec.models.scorers import TwoStageScorer
    from tfrec.training.new_item_factor import fit_new_item_factor
    from tfrec.training.ranking_lists import NEW_ITEMS, read_lists

    model = recommender.ranker.model
    lists = read_lists(run / "ranking", NEW_ITEMS, model.events)
    for price in prices:
        fit_new_item_factor(model, lists, price)
        factor = float(model.new_item_factor)
        name = f"retrieval + ranking, price {price:g} ({factor:.2f} times)"
        yield name, TwoStageScorer(recommender, hide_history=True)


def _pretended(trained: "TrainedRun") -> "tuple[ColdStart, PretendedCases]":
    """Gives the model a cold start, and returns it with what it is fitted on."""
    from tfrec.towers.cold_start import ColdStart
    from tfrec.training.cold_start import pretend
    from tfrec.training.retrieval_validation import RetrievalValidation

    model, seed = trained.retrieval, trained.config.seed
    model.cold_start = ColdStart(model.spec.num_ids)
    validation = RetrievalValidation(model, trained.dataset, trained.config.evaluation, seed)
    model.count(trained.dataset.log_before("valid"))
    pretended = pretend(model, validation.modes[0][1], seed)
    model.count(trained.dataset.log_before("test"))
    return model.cold_start, pretended


def _baselines(
    dataset: PreparedDataset, vectors: np.ndarray, config: EvaluationConfig
) -> list[tuple[str, Scorer]]:
    tuning = tuning_cases(dataset, config, seed=0)
    item_knn = tune_item_knn(dataset, tuning)
    weighted = tune_text_knn(dataset, vectors, tuning)
    return [
        ("popularity", Popularity.fit(dataset, before="test")),
        ("ItemKNN", ItemKNN.fit(dataset, item_knn, before="test")),
        ("frozen BERT, mean of history", TextKNN.fit(dataset, vectors, decay=MEAN)),
        ("frozen BERT, last item", TextKNN.fit(dataset, vectors, decay=LAST)),
        (f"frozen BERT, weights {weighted.decay} a step back (tuned)", weighted),
    ]


def figures(ranks: np.ndarray, cases: Cases, is_new: np.ndarray) -> dict[str, Any]:
    """Returns recall and NDCG on the targets that are new and on those that are not.

    Args:
        ranks: int `[num_targets]`, of every target among all items.
        cases: whose targets they are.
        is_new: bool `[num_targets]`.
    """
    owner = case_of_target(cases.target_offsets)
    found: dict[str, Any] = {}
    for name, kept in {"new": is_new, "old": ~is_new, "all": np.ones_like(is_new)}.items():
        _, sizes = np.unique(owner[kept], return_counts=True)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        metrics, intervals = summarise(
            accuracy(ranks[kept], offsets, CUTOFFS), samples=1000, seed=0
        )
        found[name] = {"shoppers": len(sizes), "targets": int(kept.sum()), **metrics}
        found[name]["intervals"] = intervals
    return found


def as_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """Returns the table of what `measure` found."""
    table = Table(title=title)
    table.add_column("model")
    columns = [
        (part, f"{name}@{k}") for part in ("new", "old") for k in CUTOFFS for name in METRICS
    ]
    for part, metric in columns:
        table.add_column(f"{part}\n{metric}", justify="right")
    for row in rows:
        table.add_row(row["model"], *(_figure(row[part], metric) for part, metric in columns))
    new, old = rows[0]["new"], rows[0]["old"]
    table.caption = (
        f"{new['targets']} targets of {new['shoppers']} shoppers are new items, "
        f"{old['targets']} of {old['shoppers']} are not"
    )
    return table


METRICS = ("recall", "ndcg")


def _figure(figures_of_part: dict[str, Any], metric: str) -> str:
    low, high = figures_of_part["intervals"][metric]
    return f"{figures_of_part[metric]:.4f} ±{(high - low) / 2:.4f}"


def _generic(config: str) -> dict[str, Any]:
    """Returns a configuration without its adapter: the log was read and written anew."""
    content: dict[str, Any] = yaml.safe_load(Path(config).read_text())
    content.setdefault("data", {})["adapter"] = "generic"
    return content


def _tfrec(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pipelines.cli", *words], check=True)


if __name__ == "__main__":
    main()
