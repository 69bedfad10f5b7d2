"""What the trainings of both models leave in TensorBoard's files."""

import re

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.small_shop import make_shop
from tests.monitoring.training.reading import scalars, summaries
from tfrec.config import EvaluationConfig
from tfrec.evaluation.protocol import evaluate
from tfrec.monitoring.training.layout import CHARTS
from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.held_out_results import HeldOutMode, held_out_modes


@pytest.fixture(scope="module")
def retrieval(planted_run):
    return scalars(planted_run.path / "retrieval" / "logs")


@pytest.fixture(scope="module")
def ranking(planted_run):
    return scalars(planted_run.path / "ranking" / "logs")


def test_curves_of_retrieval(planted_run, retrieval):
    summary = planted_run.retrieval
    assert retrieval["loss/all"][summary.steps] < min(list(retrieval["loss/all"].values())[:1])
    assert max(retrieval["validation/ndcg@10"].values()) == pytest.approx(summary.best_score)
    assert retrieval["validation/epoch"][summary.steps] == summary.epochs
    assert {"gradient_norm/item_tower", "gradient_norm/query_tower"} <= set(retrieval)
    # Every other one of ten purchases was foreseen, so they score above the rest in the end.
    last = summary.steps
    assert retrieval["scores/mean_bought"][last] > retrieval["scores/mean_others"][last] + 0.2
    assert (
        retrieval["embedding_norm/mean_item_id"][0]
        == 0
        < (retrieval["embedding_norm/mean_item_id"][last])
    )
    assert "embedding_norm/mean_brand" in retrieval
    assert "slices_with_repeats/ndcg@10/items_head" in retrieval
    assert "slices_new_to_shopper/recall@10/items_tail" in retrieval


def test_curves_of_ranking(planted_run, ranking):
    assert max(ranking["validation/ndcg@10"].values()) == pytest.approx(
        planted_run.ranking.best_score
    )
    terms = ["loss/list_purchase", "loss/event_purchase", "loss/event_return"]
    for step, loss in ranking["loss/all"].items():
        assert sum(ranking[term][step] for term in terms) == pytest.approx(loss, rel=1e-5)
    quality = planted_run.quality
    for event in ("purchase", "return"):
        (auc,) = ranking[f"task_auc/{event}_calibrated"].values()
        assert auc == pytest.approx(quality[f"auc/{event}"], abs=1e-6)
        (error,) = ranking[f"task_calibration/error_{event}_calibrated"].values()
        assert error == pytest.approx(quality[f"calibration_error/{event}"], abs=1e-4)
    assert "slices_with_repeats/ndcg@10/items_head" in ranking
    assert "final/auc/purchase" in ranking


def test_ten_shoppers_are_shown_what_is_recommended(planted_run):
    for model in ("retrieval", "ranking"):
        found = summaries(planted_run.path / model / "logs")
        texts = [found[f"recommendations/shopper_{n:02d}"] for n in range(1, 11)]
        steps = sorted(found["validation/ndcg@10"])
        assert all(sorted(text) == steps for text in texts)
        last = [text[steps[-1]].item().decode() for text in texts]
        assert all("| 10 |" in text for text in last)
        assert sum("✔" in text for text in last) >= 5, "most would have liked something"
        assert re.search(
            r"\| (red|blue|cotton|dress|lamp|shade|usb|cable) \w+ \d+ \(i\d\d\)", last[5]
        )


def test_every_chart_of_the_first_screens_has_curves(retrieval, ranking):
    tags = set(retrieval) | set(ranking)
    empty = {
        title
        for charts in CHARTS.values()
        for title, expressions in charts.items()
        if not any(re.match(expression, tag) for expression in expressions for tag in tags)
    }
    assert empty == {"text tower: drift"}, "which there is none of with a frozen one"


def test_a_few_steps_are_traced_on_request(planted_run):
    trace = "logs/plugins/profile/*/*.xplane.pb"
    assert len(list((planted_run.path / "ranking").glob(trace))) == 1
    assert not list((planted_run.path / "retrieval").glob(trace)), "it was not asked for there"


def test_projector_and_settings(planted_run):
    logs = planted_run.path / "retrieval" / "logs"
    vectors = np.loadtxt(logs / "item_vectors.tsv")
    metadata = pd.read_csv(logs / "item_metadata.tsv", sep="\t")
    assert vectors.shape == (40, 32) and len(metadata) == 40
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert metadata["brand"].str.match(r"brand \d").all()
    assert "final_valid_ndcg@10" in scalars(planted_run.path / "retrieval" / "hparams")


class Scattered:
    """The values of candidate lists as scores of the whole catalogue."""

    name = "lists"

    def __init__(self, items, values, width):
        self.rows = {}
        for row, (candidates, scores) in enumerate(zip(items, values, strict=True)):
            whole = np.full(width, -np.inf, np.float32)
            whole[candidates[candidates > 0]] = scores[candidates > 0]
            self.rows[f"u{row}"] = whole

    def score(self, histories):
        return np.stack([self.rows[str(user)] for user in histories.user])


@pytest.mark.parametrize("excluding", [False, True])
def test_results_of_lists_are_those_of_an_evaluation(excluding):
    random = np.random.default_rng(0)
    pasts = [[1, 2], [3], [], [4, 5, 6], [2]]
    targets = [[2, 7], [8, 1], [9], [5], [3, 4, 6]]
    shop = make_shop(9, [[1, 2, 2, 3]], pasts, targets, split="valid")
    items = np.array([random.permutation(9)[:6] + 1 for _ in range(5)], np.int32)
    items[:, -1] = 0
    # Two candidates with one value, of which one is a target of the first shopper.
    items[0, :2] = [7, 9]
    items[0, 2:] = [1, 3, 4, 0]
    values = random.normal(size=items.shape).astype(np.float32)
    values[0, :2] = 0.5
    values[items == 0] = -np.inf
    if excluding:
        for row, past in enumerate(pasts):
            values[row, np.isin(items[row], past)] = -np.inf
    lists = CandidateLists(
        items, np.arange(5), np.full(5, excluding), values, values, values, {}, np.ones(5),
        values, np.zeros(5),
    )  # fmt: skip
    (mode,) = held_out_modes(shop, np.arange(5), lists, 0)
    config = EvaluationConfig(
        cutoffs=[10], repeats="exclude" if excluding else "count", bootstrap_samples=1
    )
    expected = evaluate(Scattered(items, values, 10), shop, "valid", config)
    found = mode.result(values)
    assert found.metrics == pytest.approx(expected.metrics, nan_ok=True)
    assert found.slices == expected.slices
    row = mode.cases.indices[1]
    order = np.argsort(-values[row], kind="stable")
    visible = items[row][order][np.isfinite(values[row][order])].tolist()
    assert mode.top(values, np.array([1]))[0].tolist() == visible + [0] * (10 - len(visible))


def test_a_way_of_counting_that_has_no_targets_is_left_out():
    """Everybody buys again what he had."""
    shop = make_shop(3, [[1]], [[1], [2]], [[1], [2]], split="valid")
    items = np.tile([1, 2, 3], (4, 1)).astype(np.int32)
    zeros = np.zeros(items.shape, np.float32)
    lists = CandidateLists(
        items,
        np.array([0, 1, 0, 1]),
        np.array([False, False, True, True]),
        zeros,
        zeros,
        zeros,
        {},
        np.ones(4),
        zeros,
        np.zeros(4),
    )
    modes = held_out_modes(shop, np.arange(2), lists, 0)
    assert [mode.cases.repeats for mode in modes] == ["count"]
    assert isinstance(modes[0], HeldOutMode)
