"""Prints how well it is told what a shopper chooses of kinds of products that are new to him.

    python -m benchmarks.other_categories --run RUN [--data DATA] [--json FILE]

Shoppers of the test split with a history who choose something of a kind that is not in it; the
targets are these products, and what is ranked are all products of such kinds. Equal scores count
against the model. Opponents know the log before the test split.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console

from benchmarks.measuring import json_option, list_figures, list_table, run_options
from tfrec.config import EvaluationConfig
from tfrec.evaluation import Cases, ItemKNN, Popularity
from tfrec.evaluation.metrics import case_of_target, target_ranks
from tfrec.evaluation.protocol import Scorer
from tfrec.evaluation.tuning import tune_popularity, tuning_cases
from tfrec.files import write_json
from tfrec.models.scorers import RetrievalScorer
from tfrec.progress import progress
from tfrec.surfaces.groups import groups_of_all
from tfrec.surfaces.shelves import count_shelves
from tfrec.training.loading import TrainedRun

BATCH = 256
MOST = 5000


@click.command()
@run_options
@json_option
def main(run_folder: Path, data: Path | None, json_path: Path | None) -> None:
    """Measure lists of other kinds of products."""
    run = TrainedRun.open(run_folder, data)
    dataset, settings = run.dataset, run.config.surfaces
    config = EvaluationConfig(repeats="exclude")
    texts = run.retrieval.catalogue.text.numpy()[1:]
    group = count_shelves(
        dataset,
        "test",
        texts,
        column=settings.group_column,
        groups=settings.learned_groups,
        seed=run.config.seed,
    ).group
    group = groups_of_all(group, texts)
    cases, visited = abroad(Cases.of(dataset, "test", config), group)
    days = tune_popularity(dataset, tuning_cases(dataset, config, seed=run.config.seed))
    scorers: list[Scorer] = [
        Popularity.fit(dataset, days=days, before="test"),
        ItemKNN.fit(dataset, before="test"),
        RetrievalScorer(run.retrieval),
    ]
    figures = {scorer.name: measured(scorer, cases, visited, group) for scorer in scorers}
    kinds = visited.sum(axis=1).mean()
    title = (
        f"{len(cases)} shoppers, who know {kinds:.1f} of {int(group.max())} kinds on average, "
        f"choose {len(cases.target_item)} products of others"
    )
    Console().print(list_table(figures, title, "within other kinds"))
    if json_path is not None:
        write_json(json_path, {"title": title, "models": figures})


def abroad(cases: Cases, group: np.ndarray) -> tuple[Cases, np.ndarray]:
    """Returns the cases with the targets of other kinds alone, and the kinds each one knows.

    The second is bool `[cases, groups + 1]`.
    """
    if len(cases) > MOST:
        cases = cases.select(np.linspace(0, len(cases) - 1, MOST).astype(int))
    visited = np.zeros((len(cases), int(group.max()) + 1), bool)
    visited[case_of_target(cases.histories.offsets), group[cases.histories.item]] = True
    owner = case_of_target(cases.target_offsets)
    known = cases.histories.lengths > 0
    kept = ~visited[owner, group[cases.target_item]] & known[owner]
    sizes = np.bincount(owner[kept], minlength=len(cases))
    chosen = np.flatnonzero(sizes)
    full = np.concatenate([[0], np.cumsum(sizes)])
    fewer = Cases(**{**vars(cases), "target_item": cases.target_item[kept], "target_offsets": full})
    return fewer.select(chosen), visited[chosen]


def measured(
    scorer: Scorer, cases: Cases, visited: np.ndarray, group: np.ndarray
) -> dict[str, list[float]]:
    """Returns NDCG and recall with half of their intervals."""
    ranks = np.zeros(len(cases.target_item), np.int64)
    for start in progress(
        range(0, len(cases), BATCH), description=f"evaluate {scorer.name}", unit="batch"
    ):
        rows = np.arange(start, min(start + BATCH, len(cases)))
        histories = cases.histories.select(rows)
        scores = np.array(scorer.score(histories), np.float32)
        scores[:, 0] = -np.inf
        scores[visited[rows][:, group]] = -np.inf
        bounds = cases.target_offsets[start : rows[-1] + 2]
        place = slice(bounds[0], bounds[-1])
        ranks[place] = target_ranks(scores, bounds - bounds[0], cases.target_item[place])
    return list_figures(ranks, cases.target_offsets)


if __name__ == "__main__":
    main()
