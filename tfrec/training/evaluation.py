"""Evaluates the models of a run beside the baselines."""

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.evaluation import Cases, Report, Scorer, evaluate, tuned_baselines
from tfrec.models.scorers import RetrievalScorer, TwoStageScorer
from tfrec.training.candidate_lists import SHOPPERS_A_BATCH, holdout_shoppers
from tfrec.training.loading import TrainedRun


def evaluate_run(run: TrainedRun, split: str, config: EvaluationConfig, seed: int) -> Report:
    """Returns the report of the run's models and of the baselines, all on the same shoppers.

    Models and baselines know the log before the split and nothing after. On the split `valid`,
    where the ranking model was trained, only the shoppers held out from that training are
    evaluated.

    Args:
        run: the trained run.
        split: `valid` or `test`.
        config: cutoffs, repeats and intervals.
        seed: seed of the bootstrap.

    Raises:
        UserError: if there is no such split.
    """
    cases = cases_of(run, split, config)
    known = run.counted_before
    run.count_before(split)
    scorers: list[Scorer] = [RetrievalScorer(run.retrieval)]
    recommender = run.recommender()
    if recommender is not None:
        hide_history = config.repeats == "exclude"
        scorers.append(TwoStageScorer(recommender, hide_history=hide_history))
        shown = run.recommender(run.config.display) if run.config.display.arranges else None
        if shown is not None:
            scorers.append(TwoStageScorer(shown, hide_history=hide_history))
    scorers += tuned_baselines(run.dataset, config, run.text_vectors, before=split, seed=seed)
    report = Report(
        [
            evaluate(
                scorer,
                run.dataset,
                split,
                config,
                cases=cases,
                item_vectors=run.text_vectors,
                seed=seed,
                batch_size=SHOPPERS_A_BATCH,
            )
            for scorer in scorers
        ]
    )
    run.count_before(known)
    return report


def cases_of(run: TrainedRun, split: str, config: EvaluationConfig) -> Cases:
    """Returns the cases that `evaluate_run` measures, for the same arguments.

    Raises:
        UserError: if there is no such split.
    """
    subset = None
    if split == "valid" and run.ranker is not None:
        held_out = holdout_shoppers(run.dataset.histories("valid"), run.config.ranking.holdout)
        subset = np.flatnonzero(held_out)
    return Cases.of(run.dataset, split, config, subset=subset)
