import numpy as np
import pytest

from tests.evaluation.small_shop import FixedScorer, make_shop
from tfrec.config import EvaluationConfig
from tfrec.evaluation import evaluate
from tfrec.evaluation.slices import head_items

CONFIG = EvaluationConfig(cutoffs=[1, 3], bootstrap_samples=20, repeats="count")


def slices_of(shop, scores, config=CONFIG):
    return evaluate(FixedScorer(scores), shop, "test", config).slices


def test_history_lengths_fall_into_their_slices():
    lengths = [0, 1, 2, 3, 5, 6, 20, 21, 40]
    shop = make_shop(2, [[1]], [[1] * n for n in lengths], [[2]] * len(lengths))
    slices = slices_of(shop, [0, 1, 2])
    counts = {name: part.cases for name, part in slices.items() if name.startswith("history")}
    assert counts == {
        "history 0": 1,
        "history 1-2": 2,
        "history 3-5": 2,
        "history 6-20": 2,
        "history 21+": 2,
    }


def test_a_slice_of_shoppers_has_their_means():
    shop = make_shop(3, [[1]], [[], [1], [2]], [[3], [3], [1]])
    slices = slices_of(shop, [0, 1, 2, 3])
    assert slices["history 0"].metrics["recall@1"] == 1
    assert slices["history 1-2"].metrics["recall@1"] == pytest.approx(1 / 2)
    assert slices["history 1-2"].metrics["mrr@3"] == pytest.approx((1 + 1 / 3) / 2)


def test_new_shoppers_are_those_without_a_past_in_training():
    users = ["u0", "u1", "u2", "a", "b"]
    shop = make_shop(3, [[1], [2], [2]], [[1], [2], [2], [], [3]], [[3]] * 5, users=users)
    scorer = FixedScorer([0, 1, 2, 3])
    slices = evaluate(scorer, shop, "test", CONFIG).slices
    # "b" has a history at the time of the test, but none that training saw.
    assert slices["shoppers new"].cases == 2


def test_head_is_the_most_popular_fifth():
    assert head_items(np.array([1, 9, 5, 0, 2])).tolist() == [False, True, False, False, False]
    assert np.flatnonzero(head_items(np.array([3] * 10))).tolist() == [0, 1]


def test_slices_of_items_keep_only_targets_among_them():
    # Item 1 is the head (two events), the rest the tail; items 3, 4 and 5 have no event.
    shop = make_shop(5, [[1, 2], [1]], [[], []], [[1, 2, 3], [2]])
    slices = slices_of(shop, [0, 9, 1, 8, 0, 0])
    head, tail, new = (slices[f"items {part}"] for part in ("head", "tail", "new"))
    assert (head.cases, tail.cases, new.cases) == (1, 2, 1)
    assert head.metrics["recall@1"] == 1
    # The first shopper's tail targets, 2 and 3, rank 3 and 2 in the list 1, 3, 2.
    assert tail.metrics["recall@3"] == 1
    assert tail.metrics["mrr@3"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert new.metrics["mrr@3"] == pytest.approx(1 / 2)


def test_what_is_new_comes_from_the_configuration():
    shop = make_shop(3, [[1, 2], [1]], [[]], [[1, 2, 3]])
    assert slices_of(shop, [0, 3, 2, 1])["items new"].metrics["recall@3"] == 1
    one_event = CONFIG.model_copy(update={"new_item_events": 1, "cutoffs": [2]})
    assert slices_of(shop, [0, 3, 2, 1], one_event)["items new"].metrics["recall@2"] == 1 / 2


def test_an_empty_slice_has_no_figures():
    shop = make_shop(2, [[1, 2]], [[1]], [[2]])
    part = slices_of(shop, [0, 1, 2])["history 21+"]
    assert (part.cases, part.metrics, part.intervals) == (0, {}, {})
