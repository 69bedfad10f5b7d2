"""What the views of validation, scores, weights and text write."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.evaluation.small_shop import FixedScorer, make_shop
from tests.monitoring.training.conftest import validation
from tests.monitoring.training.reading import scalars, summaries
from tfrec.config import EvaluationConfig
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.protocol import evaluate
from tfrec.monitoring.training.distributions import (
    ScoreView,
    SimilarityView,
    WeightView,
    thinned,
)
from tfrec.monitoring.training.examples import (
    ExamplesView,
    choose_shoppers,
    item_names,
    recommendation_table,
    shoppers_of,
)
from tfrec.monitoring.training.observer import TrainingStart
from tfrec.monitoring.training.score_sample import OTHERS_A_SHOPPER, ScoreSample
from tfrec.monitoring.training.text_drift import TextDriftView, relative_distance
from tfrec.monitoring.training.validation import ValidationView

SCORES = [0, 5, 4, 3, 2, 1]


@pytest.fixture
def shop():
    """Five items; item 1 is the head. Shopper u2 has no history, u1 is new."""
    return make_shop(
        5,
        train=[[1, 1, 2], [1, 3]],
        pasts=[[1, 2], [3], [], [2, 1, 3]],
        targets=[[1, 4], [2], [5], [4]],
        split="valid",
        users=["u0", "u7", "u8", "u1"],
    )


@pytest.fixture
def cases(shop):
    return Cases.of(shop, "valid", EvaluationConfig(repeats="count"))


class TestValidation:
    def test_scores_slices_and_lists(self, shop, cases, log):
        config = EvaluationConfig(cutoffs=[10], repeats="count", bootstrap_samples=1)
        result = evaluate(FixedScorer(SCORES), shop, "valid", config, cases=cases)
        view = ValidationView(log, lambda: [result])
        view.validated(validation(10, 3, **{"ndcg@10": 0.5, "ndcg@10/count": 0.25}))
        view.finished({"valid_ndcg@10": 0.75, "broken": float("nan")})
        log.close()
        found = {tag: values[10] for tag, values in scalars(log.folder).items()}
        assert found["validation/ndcg@10"] == 0.5
        assert found["validation/ndcg@10_count"] == 0.25
        assert found["validation/epoch"] == 3
        assert found["final/valid_ndcg@10"] == 0.75
        assert "final/broken" not in found
        assert found["lists_with_repeats/coverage@10"] == 1.0
        # Item 5, which nobody bought in training, stands last: 1 / log2(5 + 1) is its NDCG.
        new = result.slices["items new"].metrics["ndcg@10"]
        assert found["slices_with_repeats/ndcg@10/items_new"] == pytest.approx(new)
        assert found["slices_with_repeats/recall@10/items_head"] == 1.0
        assert "slices_with_repeats/ndcg@10/history_21+" not in found, "nobody has so long a one"


class TestExamples:
    def test_shoppers_from_short_histories_to_long_ones(self, cases):
        chosen = choose_shoppers(cases, 3)
        assert cases.histories.lengths[chosen].tolist() == [0, 1, 3]
        assert choose_shoppers(cases).tolist() == choose_shoppers(cases).tolist()
        assert len(choose_shoppers(cases)) == 4

    def test_only_one_without_a_history(self):
        shop = make_shop(2, [[1]], [[], [], [], [1]], [[1], [2], [1], [2]], split="valid")
        cases = Cases.of(shop, "valid", EvaluationConfig(repeats="count"))
        assert cases.histories.lengths[choose_shoppers(cases)].tolist() == [0, 1]

    def test_nobody_has_a_history(self):
        shop = make_shop(2, [[1]], [[], []], [[1], [2]], split="valid")
        cases = Cases.of(shop, "valid", EvaluationConfig(repeats="count"))
        assert len(choose_shoppers(cases)) == 1

    def test_table(self, cases):
        _, shopper = shoppers_of(cases, np.array([2, 0]))
        assert (shopper.history, shopper.events) == ([2, 1], 2)
        items = pd.DataFrame(
            {"item_id": list("abcde"), "title": ["Red\tlamp", "", None, "A|B *new*", "Cup"]}
        )
        names = item_names(items)
        assert names == ["", "Red lamp (a)", "b", "c", r"A\|B \*new\* (d)", "Cup (e)"]
        text = recommendation_table(shopper, np.array([4, 3, 5, 0]), names)
        assert text.splitlines() == [
            "**1 of 3 right** (2 products came after) · known shopper, 2 events before",
            "",
            "| | had, latest first | recommended | came |",
            "|---|---|---|---|",
            r"| 1 | b | **A\|B \*new\* (d)** | ✔ |",
            "| 2 | Red lamp (a) | c |  |",
            "| 3 |  | Cup (e) |  |",
        ]

    def test_one_text_a_shopper(self, cases, log):
        names = ["", "one", "two", "three", "four", "five"]
        chosen = choose_shoppers(cases)
        lists = np.tile([5, 4], (4, 1))
        view = ExamplesView(log, shoppers_of(cases, chosen), names, lambda: lists)
        view.validated(validation(7))
        log.close()
        found = summaries(log.folder)
        assert set(found) == {f"recommendations/shopper_0{number}" for number in range(1, 5)}
        first = found["recommendations/shopper_01"][7].item().decode()
        assert "0 events before" in first and "| 1 |  | **five** | ✔ |" in first


class TestScoreSample:
    @pytest.mark.parametrize("repeats", ["count", "exclude"])
    def test_it_keeps_what_the_evaluation_asks_for(self, shop, repeats):
        config = EvaluationConfig(cutoffs=[10], repeats=repeats, bootstrap_samples=1)
        cases = Cases.of(shop, "valid", config)
        random = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
        scorer = FixedScorer(random)
        sample = ScoreSample(scorer, cases, np.array([1, 0]), 3, seed=0)
        plain = evaluate(scorer, shop, "valid", config, cases=cases, batch_size=2)
        watched = evaluate(sample, shop, "valid", config, cases=cases, batch_size=2)
        assert watched.metrics == plain.metrics
        rows = random[[int(user[1:]) for user in cases.histories.user]]
        case = np.repeat(np.arange(len(cases)), np.diff(cases.target_offsets))
        np.testing.assert_array_equal(sample.target_scores, rows[case, cases.target_item])
        assert sample.other_scores.shape == (len(cases), OTHERS_A_SHOPPER)
        assert all(
            np.isin(own, row[1:]).all() for own, row in zip(sample.other_scores, rows, strict=True)
        )
        for shown, place in zip(sample.lists, (1, 0), strict=True):
            visible = rows[place].copy()
            visible[0] = -np.inf
            if repeats == "exclude":
                visible[cases.histories.item[cases.histories.history(place)]] = -np.inf
            assert shown.tolist() == np.argsort(-visible)[:3].tolist()


class TestDistributions:
    def test_scores(self, log):
        groups = {"bought": np.array([1.0, 3.0, np.nan, -np.inf]), "others": np.zeros(0)}
        ScoreView(log, lambda: groups).validated(validation(5))
        log.close()
        assert scalars(log.folder) == {"scores/mean_bought": {5: 2.0}}
        histogram = summaries(log.folder)["scores/bought"][5]
        assert histogram[:, 2].sum() == 2 and histogram[0, 0] == 1.0 and histogram[-1, 1] == 3.0

    def test_similarity(self, log):
        """Two items in one place and one at a right angle."""
        vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        SimilarityView(log, lambda: vectors, seed=0).validated(validation(5))
        log.close()
        found = scalars(log.folder)
        assert found["similarity/mean_of_pairs"][5] == pytest.approx(1 / 3)
        assert found["similarity/mean_of_nearest"][5] == pytest.approx(2 / 3)

    def test_similarity_of_one_item(self, log):
        SimilarityView(log, lambda: np.ones((1, 2)), seed=0).validated(validation(5))
        log.close()
        assert summaries(log.folder) == {}

    def test_weights(self, log):
        weights = {"tower": [tf.Variable([3.0, 0.0]), tf.Variable([[4.0]])]}
        view = WeightView(log, lambda: {"item_id": np.array([[3.0, 4.0], [0.0, 1.0]])})
        view.training_started(TrainingStart(0, lambda: 0.1, weights, lambda batch: None))
        view.validated(validation(5))
        log.close()
        found = scalars(log.folder)
        assert found["weight_norm/tower"] == {5: 5.0}
        assert found["embedding_norm/mean_item_id"] == {5: 3.0}

    def test_thinning(self):
        assert len(thinned(np.arange(25_000))) == 12_500
        assert len(thinned(np.arange(7))) == 7


class TestTextDrift:
    def test_vectors_and_weights(self, log):
        variable = tf.Variable([3.0, 4.0])
        vectors = np.array([[1.0, 0.0], [0.0, 1.0]])
        view = TextDriftView(log, lambda: vectors, {"layer_5": [variable]})
        view.validated(validation(0))
        variable.assign([3.0, 5.0])
        vectors = np.array([[0.0, 1.0], [0.0, 1.0]])
        view.validated(validation(10))
        log.close()
        found = scalars(log.folder)
        assert found["text_drift/mean_of_vectors"] == {0: 0.0, 10: 0.5}
        assert found["text_drift/weights_layer_5"] == {0: 0.0, 10: pytest.approx(0.2)}

    def test_relative_distance(self):
        assert relative_distance([np.array([1.0])], [np.array([1.0])]) == 0.0
        moved = [np.array([0.0, 2.0]), np.array([[2.0]])]
        assert relative_distance(moved, [np.array([0.0, 2.0]), np.array([[0.0]])]) == 1.0
