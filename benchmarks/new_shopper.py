"""Prints how good the lists for a new shopper are after so many events.

    python -m benchmarks.new_shopper --run RUN [--data DATA] [--json FILE]

The shoppers are those of the test period of whom the log before it knows nothing. Their first 0, 1,
2, 3 and 5 events are the history; what they chose after the first five are the targets, the same
for all lengths. The full catalogue but for the history is ranked, equal scores count against the
model. Before the first event both models show the opening of the run's surfaces, where it has one.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import CUTOFF, json_option, run_options, with_intervals
from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories, no_targets
from tfrec.evaluation import Cases, Popularity
from tfrec.evaluation.lists import intra_list_diversity
from tfrec.evaluation.metrics import ndcg
from tfrec.evaluation.protocol import Scorer, rank
from tfrec.evaluation.tuning import tune_popularity, tuning_cases
from tfrec.files import write_json
from tfrec.models.scorers import RetrievalScorer, TwoStageScorer
from tfrec.training.loading import TrainedRun
from tfrec.training.surfaces import SURFACES, Surfaces

LENGTHS = (0, 1, 2, 3, 5)


@click.command()
@run_options
@json_option
def main(run_folder: Path, data: Path | None, json_path: Path | None) -> None:
    """Measure the first lists of new shoppers."""
    run = TrainedRun.open(run_folder, data)
    dataset = run.dataset
    config = EvaluationConfig(repeats="exclude")
    days = tune_popularity(dataset, tuning_cases(dataset, config, seed=run.config.seed))
    surfaces = Surfaces.find(run_folder / SURFACES, run.retrieval)
    opening = None if surfaces is None or surfaces.opening is None else surfaces.opening.values
    scorers: list[Scorer] = [
        Popularity.fit(dataset, days=days, before="test"),
        RetrievalScorer(run.retrieval, opening),
    ]
    recommender = run.recommender(opening=opening)
    if recommender is not None:
        scorers.append(TwoStageScorer(recommender, hide_history=True))
    figures: dict[str, dict[str, list[float]]] = {scorer.name: {} for scorer in scorers}
    for length in LENGTHS:
        cases = new_shoppers(dataset, length)
        for scorer in scorers:
            figures[scorer.name][str(length)] = measured(scorer, cases, run.text_vectors)
    Console().print(table(figures, len(new_shoppers(dataset, 0))))
    if json_path is not None:
        write_json(json_path, figures)


def new_shoppers(dataset: PreparedDataset, length: int) -> Cases:
    """Returns the new shoppers of the test period with their first `length` events as history."""
    later = dataset.histories("test")
    histories, targets = [], []
    for shopper in np.flatnonzero(later.lengths == 0):
        place = later.targets(int(shopper))
        order = place.start + np.argsort(later.target_timestamp[place], kind="stable")
        order = order[np.isin(later.target_event[order], dataset.target_event_indices)]
        first, rest = order[: max(LENGTHS)], order[max(LENGTHS) :]
        wanted = np.setdiff1d(later.target_item[rest], later.target_item[first])
        if len(wanted):
            histories.append(first[:length])
            targets.append(wanted)
    rows = np.concatenate(histories)
    count = len(histories)
    past = Histories(
        user=np.array([f"new {shopper}" for shopper in range(count)]),
        offsets=np.arange(count + 1) * length,
        item=later.target_item[rows],
        event=later.target_event[rows],
        timestamp=later.target_timestamp[rows],
        value=np.ones(len(rows), np.float32),
        # Context is not known of a target; 0 is the unknown value.
        context={name: np.zeros(len(rows), np.int32) for name in dataset.context_columns},
        **no_targets(count),
    )
    return Cases(
        split="test",
        repeats="exclude",
        indices=np.arange(count),
        histories=past,
        target_offsets=np.concatenate([[0], np.cumsum([len(items) for items in targets])]),
        target_item=np.concatenate(targets).astype(np.int32),
        new_shopper=np.ones(count, bool),
        train_events=dataset.items["train_events"].to_numpy(dtype=np.int64),
        dropped=0,
    )


def measured(scorer: Scorer, cases: Cases, vectors: np.ndarray) -> list[float]:
    """Returns NDCG, half of its interval, and the diversity of the lists."""
    ranks, lists = rank(scorer, cases, list_length=CUTOFF)
    values = ndcg(ranks, cases.target_offsets, CUTOFF)
    ((mean, half),) = with_intervals(values[:, np.newaxis])
    return [mean, half, float(np.nanmean(intra_list_diversity(lists, vectors)))]


def table(figures: dict[str, dict[str, list[float]]], shoppers: int) -> Table:
    drawn = Table(title=f"NDCG@10 (diversity of the ten texts) of {shoppers} new shoppers")
    drawn.add_column("events")
    for name in figures:
        drawn.add_column(name, justify="right")
    for length in LENGTHS:
        cells = [figures[name][str(length)] for name in figures]
        drawn.add_row(
            str(length),
            *(f"{mean:.4f} ±{half:.4f} ({diversity:.2f})" for mean, half, diversity in cells),
        )
    return drawn


if __name__ == "__main__":
    main()
