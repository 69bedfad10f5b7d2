"""Prints how good the lists are for shoppers of whom only the last one or two events are known.

    python -m benchmarks.short_histories --run RUN [--data DATA] [--json FILE]

Of every test shopper all events but the last 1 or 2 are forgotten, so that the shopper might have
come a moment ago; the targets are those of `tfrec evaluate`. The full catalogue but for these
events is ranked, equal scores count against the model. The models are those of the run, as they
are; ItemKNN and the neighbours of frozen texts are tuned for these lengths, on validation shoppers
cut in the same way, and fitted to the whole log before the test.
"""

import dataclasses
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from benchmarks.measuring import json_option, list_figures, list_table, run_options
from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories, ragged_rows
from tfrec.evaluation import Cases, ItemKNN, Popularity
from tfrec.evaluation.protocol import Scorer, rank
from tfrec.evaluation.tuning import tune_item_knn, tune_popularity, tune_text_knn, tuning_cases
from tfrec.files import write_json
from tfrec.models.scorers import RetrievalScorer, TwoStageScorer
from tfrec.training.loading import TrainedRun

LENGTHS = (1, 2)


@click.command()
@run_options
@json_option
def main(run_folder: Path, data: Path | None, json_path: Path | None) -> None:
    """Measure lists for short histories."""
    run = TrainedRun.open(run_folder, data)
    run.count_before("test")
    config = EvaluationConfig(repeats="exclude")
    test = Cases.of(run.dataset, "test", config)
    tuning = tuning_cases(run.dataset, config, seed=run.config.seed)
    models: list[Scorer] = [RetrievalScorer(run.retrieval)]
    recommender = run.recommender()
    if recommender is not None:
        models.append(TwoStageScorer(recommender, hide_history=True))
    figures: dict[str, dict[str, dict[str, list[float]]]] = {}
    for length in LENGTHS:
        cases = shortened(test, length)
        scorers = models + baselines(run.dataset, run.text_vectors, shortened(tuning, length))
        found = {}
        for scorer in scorers:
            ranks, _ = rank(scorer, cases, list_length=1)
            found[scorer.name] = list_figures(ranks, cases.target_offsets)
        figures[str(length)] = found
        events = "event" if length == 1 else "events"
        title = f"{len(cases):,} shoppers, last {length} {events} known"
        Console().print(list_table(found, title, "model"))
    if json_path is not None:
        write_json(json_path, figures)


def shortened(cases: Cases, length: int) -> Cases:
    """Returns the cases with at most the last `length` events of each history."""
    return dataclasses.replace(cases, histories=last_events(cases.histories, length))


def last_events(histories: Histories, length: int) -> Histories:
    """Returns the shoppers with at most their last `length` events."""
    ends = histories.offsets[1:]
    offsets, rows = ragged_rows(ends - np.minimum(histories.lengths, length), ends)
    return histories.with_events(offsets, rows)


def baselines(dataset: PreparedDataset, vectors: np.ndarray, tuning: Cases) -> list[Scorer]:
    """Returns popularity, ItemKNN and the neighbours of texts, tuned on some cases."""
    days = tune_popularity(dataset, tuning)
    return [
        Popularity.fit(dataset, days=days, before="test"),
        ItemKNN.fit(dataset, tune_item_knn(dataset, tuning), before="test"),
        tune_text_knn(dataset, vectors, tuning),
    ]


if __name__ == "__main__":
    main()
