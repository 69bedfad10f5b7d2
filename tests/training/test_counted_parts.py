"""Memory and trend: counted from the log, weighted by what validation shoppers chose."""

import numpy as np
import pytest
import scipy.optimize

from tests.training.conftest import create_run
from tests.training.planted_shop import small_experiment
from tfrec.config import EvaluationConfig
from tfrec.training.counted_parts import _Scored
from tfrec.training.evaluation import evaluate_run
from tfrec.training.loading import TrainedRun
from tfrec.training.ranking import train_ranking
from tfrec.training.retrieval import load_retrieval, train_retrieval, weights_fingerprint
from tfrec.training.retrieval_validation import RetrievalValidation


@pytest.fixture(scope="module")
def counted_run(planted, tmp_path_factory):
    """A run with memory and trend beside towers that hardly learned anything."""
    folder = tmp_path_factory.mktemp("counted")
    config = small_experiment(
        folder,
        retrieval={"memory_neighbours": 8, "trend_days": [7], "training": {"epochs": 1}},
        ranking={"training": {"epochs": 1}},
    )
    run = create_run(folder / "run", "retrieval", config, planted)
    summary = train_retrieval(planted, run, config)
    run.finish({"valid_ndcg@10": summary.best_score}, **summary.facts())
    model = load_retrieval(run.path, config, planted.items)
    run = create_run(folder / "run", "ranking", config, planted)
    train_ranking(planted, model, run, config)
    run.finish({})
    return folder / "run", summary


def opened(counted_run):
    return TrainedRun.open(counted_run[0])


def validation_score(run):
    config = run.config
    return RetrievalValidation(run.retrieval, run.dataset, config.evaluation, config.seed)()


def test_the_parts_raise_the_validation_score(counted_run):
    run = opened(counted_run)
    run.count_before("valid")
    assert run.retrieval.memory.weight.numpy() > 0
    assert run.retrieval.trend.weights_of_windows.numpy().any()
    # The summary's score is that of the model as it is validated: with the log before that period.
    assert validation_score(run)["ndcg@10"] == pytest.approx(counted_run[1].best_score, abs=1e-4)
    run.retrieval.memory.weight.assign(0.0)
    run.retrieval.trend.weights_of_windows.assign([0.0, 0.0])
    assert validation_score(run)["ndcg@10"] < counted_run[1].best_score


def test_a_finished_run_knows_the_log_before_the_test_period(counted_run):
    run = opened(counted_run)
    log, events = run.dataset.log_before("test"), run.dataset.target_event_indices
    bought = log.item[np.isin(log.event, events)]
    expected = np.log1p(np.bincount(bought, minlength=41))
    found = run.retrieval.trend.log_sales.numpy()
    np.testing.assert_allclose(found[:, -1], expected, rtol=1e-6)
    statistics = run.ranker.features.item_statistics.numpy()
    run.count_before("valid")
    assert run.retrieval.trend.log_sales.numpy()[:, -1].sum() < found[:, -1].sum()
    assert (run.ranker.features.item_statistics.numpy() != statistics).any()
    run.count_before("test")
    np.testing.assert_array_equal(run.retrieval.trend.log_sales.numpy(), found)
    np.testing.assert_array_equal(run.ranker.features.item_statistics.numpy(), statistics)


def test_what_is_counted_is_no_part_of_the_fingerprint(counted_run):
    run = opened(counted_run)
    fingerprint = weights_fingerprint(run.retrieval)
    run.count_before("valid")
    assert weights_fingerprint(run.retrieval) == fingerprint
    run.retrieval.memory.weight.assign_add(0.01)
    assert weights_fingerprint(run.retrieval) != fingerprint


def test_each_split_is_evaluated_with_the_log_before_it(counted_run, monkeypatch):
    run = opened(counted_run)
    known = []
    monkeypatch.setattr(
        run.retrieval,
        "count",
        lambda log, count=run.retrieval.count: (known.append(log), count(log)),
    )
    config = EvaluationConfig(cutoffs=[5], repeats="count", bootstrap_samples=2)
    evaluate_run(run, "test", config, seed=1)
    assert known == [], "a run that was opened knows the log before the test period"
    evaluate_run(run, "valid", config, seed=1)
    train = run.dataset.histories("train")
    # What is asked of the run afterwards is answered with the newest log again.
    assert [len(log.item) > len(train.item) for log in known] == [False, True]
    assert run.counted_before == "test"


@pytest.mark.parametrize("hidden", [False, True])
def test_the_gradient_is_that_of_the_loss(hidden):
    random = np.random.default_rng(0)
    share = np.zeros((3, 6), np.float32)
    share[[0, 1, 1, 2], [2, 0, 5, 4]] = [1.0, 0.5, 0.5, 1.0]
    parts = _Scored(
        towers=random.normal(size=(3, 6)).astype(np.float32),
        memory=random.random((3, 6)).astype(np.float32),
        log_sales=random.random((6, 2)).astype(np.float32),
        share=share,
        hidden=np.eye(3, 6, k=1, dtype=bool) if hidden else None,
    )
    point = np.array([0.7, 0.4, -0.3, 0.2])
    _, slope = parts.loss(point[0], point[1], point[2:])
    numeric = scipy.optimize.approx_fprime(
        point, lambda p: parts.loss(p[0], p[1], p[2:])[0], epsilon=1e-2
    )
    np.testing.assert_allclose(slope, numeric, atol=5e-3)


def test_the_loss_worked_by_hand():
    # One shopper, two items, logits 2 * (0, 1): the second was chosen.
    parts = _Scored(
        towers=np.array([[0.0, 1.0]], np.float32),
        memory=None,
        log_sales=np.zeros((2, 0), np.float32),
        share=np.array([[0.0, 1.0]], np.float32),
        hidden=None,
    )
    loss, slope = parts.loss(2.0, 0.0, np.zeros(0))
    assert loss == pytest.approx(np.log1p(np.exp(-2.0)))
    assert slope == pytest.approx([-1 / (1 + np.exp(2.0)), 0.0])
