"""Prints how good the lists for a new shopper are after so many events.

    python -m benchmarks.new_shopper --run RUN [--data DATA] [--json FILE]

The shoppers are those of the test period of whom the log before it knows nothing. Their first 0, 1,
2, 3 and 5 events are the history. The targets are, in one table, what they chose after the first
five, the same for all lengths, and in the other all that they chose after that history. The full
catalogue but for the history is ranked, equal scores count against the model. Before the first
event both models show the opening of the run's surfaces, where it has one.
"""

import dataclasses
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import CUTOFF, json_option, run_options, with_intervals
from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories, ragged_rows
from tfrec.evaluation import Cases, Popularity
from tfrec.evaluation.lists import intra_list_diversity
from tfrec.evaluation.metrics import ndcg
from tfrec.evaluation.protocol import Scorer, rank
from tfrec.evaluation.tuning import tune_popularity, tuning_cases
from tfrec.files import write_json
from tfrec.models.scorers import RetrievalScorer, TwoStageScorer
from tfrec.training.arrivals import arrivals
from tfrec.training.loading import TrainedRun
from tfrec.training.surfaces import SURFACES, Surfaces

LENGTHS = (0, 1, 2, 3, 5)
AFTER_FIVE, FROM_THEN_ON = "what they chose after the first five", "all that they chose then"


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
    figures: dict[str, dict[str, dict[str, list[float]]]] = {}
    for asked in (AFTER_FIVE, FROM_THEN_ON):
        figures[asked] = {scorer.name: {} for scorer in scorers}
        for length in LENGTHS:
            cases = new_shoppers(dataset, length, asked)
            for scorer in scorers:
                found = [len(cases), *measured(scorer, cases, run.text_vectors)]
                figures[asked][scorer.name][str(length)] = found
        Console().print(table(figures[asked], asked))
    if json_path is not None:
        write_json(json_path, figures)


def new_shoppers(dataset: PreparedDataset, length: int, asked: str) -> Cases:
    """Returns the new shoppers of the test period with their first `length` events as history.

    Args:
        dataset: the prepared data set.
        length: of the histories.
        asked: which of their choices are the targets, `AFTER_FIVE` or `FROM_THEN_ON`.
    """
    later = dataset.histories("test")
    new = later.select(np.flatnonzero(later.lengths == 0))
    lengths = np.full(len(new), max(LENGTHS) if asked == AFTER_FIVE else length)
    arrived, _ = arrivals(new, lengths, dataset.target_event_indices)
    cases = Cases.of_histories(arrived, dataset, "test", "exclude")
    if asked == FROM_THEN_ON:
        return cases
    return dataclasses.replace(cases, histories=first_events(cases.histories, length))


def first_events(histories: Histories, length: int) -> Histories:
    """Returns the shoppers with at most their first `length` events."""
    starts = histories.offsets[:-1]
    offsets, rows = ragged_rows(starts, starts + np.minimum(histories.lengths, length))
    return histories.with_events(offsets, rows)


def measured(scorer: Scorer, cases: Cases, vectors: np.ndarray) -> list[float]:
    """Returns NDCG, half of its interval, and the diversity of the lists."""
    ranks, lists = rank(scorer, cases, list_length=CUTOFF)
    values = ndcg(ranks, cases.target_offsets, CUTOFF)
    ((mean, half),) = with_intervals(values[:, np.newaxis])
    return [mean, half, float(np.nanmean(intra_list_diversity(lists, vectors)))]


def table(figures: dict[str, dict[str, list[float]]], asked: str) -> Table:
    """Returns the figures of one kind of targets for people."""
    drawn = Table(title=f"New shoppers, {asked}: NDCG@10 (diversity of the ten texts)")
    drawn.add_column("events")
    drawn.add_column("shoppers", justify="right")
    for name in figures:
        drawn.add_column(name, justify="right")
    for length in LENGTHS:
        cells = [figures[name][str(length)] for name in figures]
        drawn.add_row(
            str(length),
            f"{cells[0][0]:.0f}",
            *(f"{mean:.4f} ±{half:.4f} ({diversity:.2f})" for _, mean, half, diversity in cells),
        )
    return drawn


if __name__ == "__main__":
    main()
