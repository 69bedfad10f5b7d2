import numpy as np
import pytest

from tests.evaluation.small_shop import RETURN, FixedScorer, make_shop
from tfrec.config import EvaluationConfig
from tfrec.errors import UserError
from tfrec.evaluation import Cases, evaluate


def config(**changes):
    return EvaluationConfig(**{"cutoffs": [1, 2, 10], "bootstrap_samples": 50, **changes})


def targets_of(cases):
    bounds = zip(cases.target_offsets[:-1], cases.target_offsets[1:], strict=True)
    return [cases.target_item[a:b].tolist() for a, b in bounds]


# Column 0 is no item; item 5 scores best, then 4, 3, 2, 1.
ASCENDING = [99, 1, 2, 3, 4, 5]


def test_targets_are_distinct_items_of_target_events():
    shop = make_shop(5, [[1]], [[1], [2]], [[3, 3, (4, RETURN), 2], [(5, RETURN), 1]])
    cases = Cases.of(shop, "test", config(repeats="count"))
    assert targets_of(cases) == [[2, 3], [1]]


def test_count_keeps_repeats_and_masks_nothing():
    shop = make_shop(5, [[1]], [[5, 4]], [[4, 3]])
    result = evaluate(FixedScorer(ASCENDING), shop, "test", config(repeats="count"))
    # The list is 5, 4, 3, 2, 1: targets at 2 and 3.
    assert result.metrics["recall@2"] == pytest.approx(1 / 2)
    assert result.metrics["mrr@10"] == pytest.approx(1 / 2)


def test_exclude_masks_the_history_and_drops_its_items_from_the_targets():
    shop = make_shop(5, [[1]], [[5, 4]], [[4, 3]])
    result = evaluate(FixedScorer(ASCENDING), shop, "test", config())
    # 5 and 4 are masked, 4 is no target: the list is 3, 2, 1 with its one target first.
    assert result.metrics["recall@1"] == 1
    assert result.metrics["ndcg@10"] == 1


def test_exclude_masks_items_that_were_returned():
    shop = make_shop(5, [[1]], [[(5, RETURN)]], [[4]])
    assert evaluate(FixedScorer(ASCENDING), shop, "test", config()).metrics["recall@1"] == 1


def test_exclude_drops_shoppers_without_a_new_item():
    shop = make_shop(5, [[1]], [[5, 4], [1], [2, 3]], [[4, 5], [2], [3, 1]])
    cases = Cases.of(shop, "test", config())
    assert cases.indices.tolist() == [1, 2]
    assert cases.histories.user.tolist() == ["u1", "u2"]
    assert targets_of(cases) == [[2], [1]]
    assert cases.dropped == 1
    result = evaluate(FixedScorer(ASCENDING), shop, "test", config())
    assert (result.cases, result.dropped) == (2, 1)


def test_masks_of_one_shopper_do_not_touch_another():
    shop = make_shop(5, [[1]], [[5], [], [4]], [[4], [5], [5]])
    result = evaluate(FixedScorer(ASCENDING), shop, "test", config())
    assert result.per_case["recall@1"].tolist() == [1, 1, 1]


def test_a_subset_is_evaluated_alone():
    shop = make_shop(5, [[1]], [[5], [], [4]], [[4], [1], [5]])
    result = evaluate(FixedScorer(ASCENDING), shop, "test", config(), subset=np.array([1, 2]))
    assert result.indices.tolist() == [1, 2]
    assert result.per_case["recall@1"].tolist() == [0, 1]


def test_cases_can_be_selected():
    shop = make_shop(5, [[1]], [[5], [], [4]], [[4, 1], [1], [5, 2, 3]])
    chosen = Cases.of(shop, "test", config()).select(np.array([2, 0]))
    assert targets_of(chosen) == [[2, 3, 5], [1, 4]]
    assert chosen.histories.user.tolist() == ["u2", "u0"]
    assert chosen.histories.item.tolist() == [4, 5]


@pytest.mark.parametrize("batch_size", [1, 2, 3, None])
def test_batches_do_not_change_the_result(batch_size):
    generator = np.random.default_rng(0)
    pasts = [generator.integers(1, 21, generator.integers(0, 6)).tolist() for _ in range(7)]
    targets = [generator.integers(1, 21, generator.integers(1, 5)).tolist() for _ in range(7)]
    shop = make_shop(20, pasts, pasts, targets)
    scorer = FixedScorer(generator.random((7, 21)))
    whole = evaluate(scorer, shop, "test", config(), batch_size=7)
    parts = evaluate(scorer, shop, "test", config(), batch_size=batch_size)
    assert parts.metrics == whole.metrics
    assert {n: v.tolist() for n, v in parts.per_case.items()} == {
        n: v.tolist() for n, v in whole.per_case.items()
    }


def test_k_beyond_the_catalogue_finds_everything_that_is_shown():
    shop = make_shop(3, [[1]], [[]], [[1, 2]])
    result = evaluate(FixedScorer([0, 1, 2, 3]), shop, "test", config(cutoffs=[2, 100]))
    assert result.metrics["recall@100"] == 1
    assert result.metrics["coverage@2"] == pytest.approx(2 / 3)
    hidden = evaluate(FixedScorer([0, 1, -np.inf, 3]), shop, "test", config(cutoffs=[2, 100]))
    assert hidden.metrics["recall@100"] == pytest.approx(1 / 2)


def test_the_model_never_sees_the_targets():
    seen = []

    class Curious(FixedScorer):
        def score(self, histories):
            seen.append(histories)
            return super().score(histories)

    shop = make_shop(5, [[1]], [[1], [2]], [[3], [4]])
    evaluate(Curious(ASCENDING), shop, "test", config())
    assert [len(h.target_item) for h in seen] == [0]
    assert seen[0].target_offsets.tolist() == [0, 0, 0]


def test_the_scores_of_the_model_are_not_changed():
    scores = np.array([ASCENDING], dtype=np.float32)

    class Owner:
        name = "owner"

        def score(self, histories):
            scores.setflags(write=False)
            return scores

    shop = make_shop(5, [[1]], [[5]], [[4]])
    assert evaluate(Owner(), shop, "test", config()).metrics["recall@1"] == 1
    assert scores.tolist() == [ASCENDING]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_numbers_name_the_model(bad):
    shop = make_shop(3, [[1]], [[1], [2]], [[2], [3]])
    scorer = FixedScorer([[0, 1, 2, 3], [0, 1, bad, 3]], name="my_model")
    with pytest.raises(UserError, match=r"`my_model`.*not numbers.*1 of 2 shoppers"):
        evaluate(scorer, shop, "test", config())


def test_column_0_may_hold_anything():
    shop = make_shop(3, [[1]], [[]], [[3]])
    result = evaluate(FixedScorer([np.nan, 1, 2, 3]), shop, "test", config())
    assert result.metrics["recall@1"] == 1


def test_scores_of_the_wrong_shape_are_refused():
    shop = make_shop(3, [[1]], [[]], [[3]])
    with pytest.raises(ValueError, match=r"`short.score` should return shape \(1, 4\).*\(1, 3\)"):
        evaluate(FixedScorer([1, 2, 3], name="short"), shop, "test", config())


def test_a_split_without_targets_is_a_clear_error():
    shop = make_shop(3, [[1]], [[1]], [[1]])
    with pytest.raises(UserError, match="`test` has no shopper with a target"):
        evaluate(FixedScorer(np.zeros(4)), shop, "test", config())
    with pytest.raises(UserError, match="choose `valid` or `test`"):
        evaluate(FixedScorer(np.zeros(4)), shop, "train", config())


def test_lists_are_measured_up_to_20_or_at_the_smallest_cutoff():
    shop = make_shop(3, [[1]], [[]], [[3]])
    vectors = np.eye(3)
    result = evaluate(
        FixedScorer([0, 1, 2, 3]), shop, "test", config(cutoffs=[2, 50]), item_vectors=vectors
    )
    assert result.metrics["diversity@2"] == 1
    assert "coverage@50" not in result.metrics
    only_50 = evaluate(FixedScorer([0, 1, 2, 3]), shop, "test", config(cutoffs=[50]))
    assert only_50.metrics["coverage@50"] == 1
    assert "diversity@50" not in only_50.metrics


class DotProduct:
    """Scores by the product of a shopper's and the items' vectors, as a two-tower model does."""

    name = "dot"

    def __init__(self, shoppers, items):
        self.shoppers = shoppers.astype(np.float32)
        self.items = np.concatenate([np.zeros((1, items.shape[1])), items]).astype(np.float32)

    def score(self, histories):
        return self.shoppers[[int(user[1:]) for user in histories.user]] @ self.items.T


class TestCollapsedModel:
    """Models whose vectors (nearly) coincide know nothing, and should score like chance."""

    ITEMS, SHOPPERS = 200, 600
    CHANCE = 10 / 200
    # Four standard errors of the hit rate of a random list.
    SLACK = 4 * (CHANCE * (1 - CHANCE) / SHOPPERS) ** 0.5

    def shop(self):
        generator = np.random.default_rng(0)
        targets = generator.integers(1, self.ITEMS + 1, (self.SHOPPERS, 1)).tolist()
        nothing = [[] for _ in targets]
        return make_shop(self.ITEMS, [[1]], nothing, targets), generator

    def test_all_vectors_equal(self):
        shop, generator = self.shop()
        one = generator.normal(size=(1, 16))
        scorer = DotProduct(np.repeat(one, self.SHOPPERS, 0), np.repeat(one, self.ITEMS, 0))
        result = evaluate(scorer, shop, "test", config())
        assert result.metrics["recall@10"] <= self.CHANCE + self.SLACK
        assert result.metrics["ndcg@10"] <= self.CHANCE

    def test_all_scores_exactly_equal_are_no_hits_where_an_optimist_reports_1(self):
        shop, _ = self.shop()
        scores = np.ones(self.ITEMS + 1, dtype=np.float32)
        result = evaluate(FixedScorer(scores), shop, "test", config())
        assert result.metrics["recall@10"] == 0
        targets = shop.histories("test").target_item
        optimistic = np.mean([np.count_nonzero(scores > scores[t]) < 10 for t in targets])
        assert optimistic == 1

    @pytest.mark.parametrize("noise", [1e-8, 1e-6, 1e-3])
    def test_vectors_nearly_equal(self, noise):
        shop, generator = self.shop()
        one = generator.normal(size=(1, 16))
        near = lambda count: one + noise * generator.normal(size=(count, 16))  # noqa: E731
        result = evaluate(DotProduct(near(self.SHOPPERS), near(self.ITEMS)), shop, "test", config())
        assert result.metrics["recall@10"] <= self.CHANCE + self.SLACK

    def test_vectors_that_know_the_targets_do_well(self):
        shop, generator = self.shop()
        items = generator.normal(size=(self.ITEMS, 16))
        shoppers = items[shop.histories("test").target_item - 1]
        result = evaluate(DotProduct(shoppers, items), shop, "test", config())
        assert result.metrics["recall@10"] > 0.95
