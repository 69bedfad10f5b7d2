"""Evaluating a run: its models beside the baselines, on shoppers that no model trained on."""

from dataclasses import replace

import numpy as np
import pytest

from tfrec.config import DisplayConfig, EvaluationConfig
from tfrec.errors import UserError
from tfrec.training.candidate_lists import holdout_shoppers
from tfrec.training.evaluation import evaluate_run
from tfrec.training.loading import TrainedRun

MODELS = ["retrieval", "retrieval+ranking", "popularity", "item_knn", "text_knn"]


@pytest.fixture(scope="module")
def trained(planted_run):
    return TrainedRun.open(planted_run.path)


@pytest.mark.parametrize("repeats", ["count", "exclude"])
def test_trained_models_beat_the_baselines(trained, repeats):
    config = EvaluationConfig(cutoffs=[5], repeats=repeats, bootstrap_samples=20)
    report = evaluate_run(trained, "test", config, seed=1)
    scores = {result.name: result.metrics["ndcg@5"] for result in report.results}
    assert list(scores) == MODELS
    assert scores["retrieval"] > 3 * scores["popularity"]
    assert scores["retrieval+ranking"] > 3 * scores["popularity"]
    assert scores["retrieval+ranking"] > 0.7 * scores["retrieval"]
    if repeats == "count":
        assert scores["retrieval"] > 1.2 * scores["item_knn"]


def test_validation_is_on_the_shoppers_held_out(trained, planted_run):
    config = EvaluationConfig(cutoffs=[5], repeats="count", bootstrap_samples=20)
    report = evaluate_run(trained, "valid", config, seed=1)
    histories = planted_run.dataset.histories("valid")
    held_out = np.count_nonzero(holdout_shoppers(histories, planted_run.config.ranking.holdout))
    assert 0 < held_out < len(histories) / 2
    assert {result.cases for result in report.results} == {held_out}


def test_a_display_order_has_a_row_of_its_own(trained):
    display = DisplayConfig(method="mmr", diversity=1.0, places=5, depth=20)
    arranged = replace(trained, config=trained.config.model_copy(update={"display": display}))
    config = EvaluationConfig(cutoffs=[5], repeats="count", bootstrap_samples=20)
    report = evaluate_run(arranged, "valid", config, seed=1)
    results = {result.name: result.metrics for result in report.results}
    assert list(results)[:3] == ["retrieval", "retrieval+ranking", "retrieval+ranking+display"]
    plain, shown = results["retrieval+ranking"], results["retrieval+ranking+display"]
    # Likeness alone decides but for the first place: more variety, and fewer hits.
    assert shown["diversity@5"] > plain["diversity@5"]
    assert shown["ndcg@5"] < plain["ndcg@5"]


def test_unknown_split(trained):
    with pytest.raises(UserError, match="there is no split 'tset'; choose one of"):
        evaluate_run(trained, "tset", EvaluationConfig(), seed=1)
